"""Check and repair the databases: find what is damaged or left over in search, record and folders."""
