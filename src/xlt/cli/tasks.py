"""`xlt tasks`: label schemes and their codebooks."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="Label schemes: list them, read their prompts and codebooks.", no_args_is_help=True)


@app.command("list")
def list_tasks() -> None:
    """List the built-in tasks.

    Example: xlt tasks list
    """
    from rich.console import Console
    from rich.table import Table

    from xlt.tasks.load import builtin_names, load_task

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("task", "labels", "what it asks"):
        table.add_column(column)
    for name in builtin_names():
        task = load_task(name)
        table.add_row(name, ", ".join(label.short for label in task.labels), task.description)
    Console(highlight=False).print(table)


@app.command("show")
def show_task(
    name: Annotated[str, typer.Argument(help="A built-in task's name, or a .toml file.")],
    prompt: Annotated[bool, typer.Option("--prompt", help="The prompt alone, as it is sent.")] = False,
) -> None:
    """Show a task: labels, prompt, and the codebook that people label by.

    Example: xlt tasks show immigration
    """
    from xlt.tasks.load import load_task

    task = load_task(name)
    if prompt:
        print(task.template + task.answer_begins)
        return
    print(f"{task.name} (version {task.version}, hash {task.hash}): {task.title}\n{task.description}\n")
    for label in task.labels:
        print(f"  {label.answer}  {label.name}: {label.description}")
    for group, classes in task.groups.items():
        print(f"\n{group}: " + "; ".join(f"{each} = {', '.join(labels)}" for each, labels in classes.items()))
    if task.coded != "own":
        print(f"\nCoded: {task.coded} words of a post")
    print("\nPrompt:\n" + "\n".join(f"  {line}" for line in (task.template + task.answer_begins).splitlines()))
    book = task.codebook
    if book is None:
        return
    print(f"\nCodebook (version {book.version}, hash {book.hash})\nTarget: {book.target}\nUncodable: {book.uncodable}")
    for rule in book.rules:
        print(f"- {rule.about}: {rule.rule}")
    for example in book.examples:
        print(f"- {example.label}: “{example.text}” ({example.why})")
