"""A small language model made from scratch, so that the paper's tables can be run on a CPU.

Corpus, tokenizer, initial embeddings, optimiser, pre-training, and rows that keep a generic answer alive, one module
each. The model is made on the user's machine, from data that are for research only, and is never shipped.
"""
