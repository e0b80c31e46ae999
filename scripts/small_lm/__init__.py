"""Building blocks of ``build_small_lm.py`` and ``build_neutral_rows.py``: a small language model made from scratch.

Corpus, tokenizer, initial embeddings, optimiser, pre-training and the files they leave, one module each.
Nothing here belongs to the installed package: the model is made on the user's machine, from data that are for
research only, and is never shipped.
"""
