"""Open a sweep: read its file, check it, its data and its code, and make what is needed to start or go on."""
