"""`python -m intoto_action`: what the actions call."""

from intoto_action.cli.main import main

if __name__ == "__main__":
    main()
