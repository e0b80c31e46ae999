"""The demo model: a Llama of 0.77 M parameters that was trained to obey what stands in front of its input.

It is shipped with the package (`weights/`) and made anew by ``python -m spul.models.demo.build``.
"""

from spul.models.demo.shipped import demo_model_path

__all__ = ["demo_model_path"]
