"""Ask for exports so that nothing is lost and nothing is done twice in silence."""
