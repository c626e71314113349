"""Care of the databases: what is damaged or left over in search, record and folders, and what mends it."""
