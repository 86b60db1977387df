"""Reports to look at: one HTML file each, without scripts, for light and dark, and for screen readers."""
