"""Functions that both passes of the zoo use."""


def flat(output) -> list:
    import torch

    if isinstance(output, torch.Tensor):
        return [output]
    if output is None:
        return []
    parts = output.values() if isinstance(output, dict) else output
    return [tensor for part in parts for tensor in flat(part)]


def ways_and_reasons(rows: list) -> list:
    """One line for each model and reason: [model, ways, reason]."""
    merged = {}
    for model, how, reason in rows:
        merged.setdefault((model, reason.replace("|", "\\|").replace("<", "&lt;")), []).append(how)
    return [[model, ", ".join(hows), reason] for (model, reason), hows in sorted(merged.items())]


def markdown_table(head: list, lines: list) -> list:
    return ["| " + " | ".join(map(str, line)) + " |" for line in (head, ["---"] * len(head), *lines)]
