"""`python -m dessin` is `dessin`."""

from dessin.cli import main

if __name__ == "__main__":
    main()
