"""Decide who may call, and what each route takes and shows. It knows no web framework and no trading rule."""
