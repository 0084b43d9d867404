"""CardDAV address books (RFC 6352): contacts as vCards on a WebDAV server."""
