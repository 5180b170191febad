"""Run the lab's commands."""

from kilonova_lab.cli import main

raise SystemExit(main())
