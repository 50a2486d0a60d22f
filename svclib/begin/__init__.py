"""The first hour with data of one's own: look into a file, map its columns, check it, declare a KPI, write `params/`.

Nothing here reads or judges data itself: it asks the readers, contracts and models that a run uses, so that what is
accepted here is accepted there.
"""
