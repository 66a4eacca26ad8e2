"""New plugin packages, written from the templates in this folder."""
