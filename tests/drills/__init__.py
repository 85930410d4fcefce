"""Long runs, behind the marker `drill`: each prints its figures."""
