"""The shell: pull, sweep, plan, guard, apply as steps over one seam. The only place that orders effects."""
