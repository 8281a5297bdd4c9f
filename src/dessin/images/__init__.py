"""From image files to fitted pixels: safe decoding, ink, fit, colour and the packed store."""
