"""The methods, one folder each, behind the one interface of base.py."""
