"""Toy notebooks: each cell one behaviour."""

import json

PARAMETERS = (
    "department = None\nperiod = None\nparams = None\nsnapshot = None\nas_of = None\nout = None\nlanguage = None"
)
SAVE = "import json, pathlib\npathlib.Path(out, '{name}.json').write_text(json.dumps({{'department': department}}))"


def toy(*cells, name="toy", save=True):
    """A notebook of the given code cells between the parameters cell and one that writes the result."""
    from svclib.run.execute import load_papermill

    load_papermill()
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    body = [new_code_cell(source) for source in cells]
    if save:
        body.append(new_code_cell(SAVE.format(name=name)))
    notebook = new_notebook(
        cells=[new_markdown_cell("# Toy"), new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}), *body],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    return notebook


def write_toy(path, *cells, **options):
    path.write_text(json.dumps(toy(*cells, name=path.stem, **options)), encoding="utf-8")
    return path
