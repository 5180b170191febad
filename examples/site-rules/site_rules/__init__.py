"""Rules of one site, as packages offer them to Kilonova."""
