"""Tests of what people read: the site, its generated pages, its blocks of code, its messages."""
