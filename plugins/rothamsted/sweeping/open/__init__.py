"""Opening a sweep: its file, its checks, its data and code, and what is made when it starts or goes on."""
