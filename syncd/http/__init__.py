"""The closed world of HTTP connectors: which places may be reached, how, and what their answers mean."""
