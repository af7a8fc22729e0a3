"""Self-attention in C. Results do not depend on threads, batch, padding or processor, to the last bit.

    attention, attention_backward           on NumPy arrays and what shares memory with them
    attention_weights, attention_statistics what each query looks at
    Translator, Segmenter                   models in one file each
    Encoder, Classifier                     vectors of texts and pictures, classes of pictures
    explain, intervene                      what a translator looks at, and what becomes of it otherwise
    train                                   a translator or a segmenter, from files
    show                                    weights as a picture, in a notebook or a file
    attn.torch                              PyTorch's attention on the CPU; import it by name

Arrays are [batch, heads, tokens, size], as in PyTorch.
"""
from __future__ import annotations

from ._attention import (AttentionGradients, AttentionPlan, AttentionResult, WeightStatistics, attention,
                         attention_backward, attention_bucket, attention_plan, attention_statistics, attention_weights)
from ._encoder import Classifier, Encoder, EncoderAttention
from ._explain import ExplainedPart, Explanation, Intervened, Intervention, explain, intervene
from ._library import (ArgumentError, Error, FileError, FormatError, NumericError, OutOfMemoryError, ShapeError,
                       StoppedError, UnsupportedError, libattn as _libattn)
from ._picture import Segmenter
from ._process import get_threads, instruction_set, instruction_sets, set_instruction_set, set_threads
from ._show import Picture, show
from ._text import Hypothesis, Sentence, Translation, Translator
from ._tool import ToolError
from ._train import Training, train

__version__: str = _libattn.attn_version().decode()

__all__ = [
    "ArgumentError", "AttentionGradients", "AttentionPlan", "AttentionResult", "Classifier", "Encoder",
    "EncoderAttention", "Error", "ExplainedPart", "Explanation", "FileError", "FormatError", "Hypothesis",
    "Intervened", "Intervention", "NumericError", "OutOfMemoryError", "Picture", "Segmenter", "Sentence",
    "ShapeError", "StoppedError", "ToolError", "Training", "Translation", "Translator", "UnsupportedError",
    "WeightStatistics", "attention", "attention_backward", "attention_bucket", "attention_plan",
    "attention_statistics", "attention_weights", "explain", "get_threads", "instruction_set", "instruction_sets",
    "intervene", "set_instruction_set", "set_threads", "show", "train",
]

for _error in [Error, *Error.__subclasses__()]:
    _error.__module__ = __name__  # what a traceback calls it
del _error
