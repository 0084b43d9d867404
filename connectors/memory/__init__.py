"""An app that lives in this process: honest, quick, and as peculiar as a test asks for."""
