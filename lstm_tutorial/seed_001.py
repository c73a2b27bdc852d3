"""Seed 001's language model as its author wired it, for chapter 08's audit. Do not build another like it.

Two things set it apart from :class:`lstm_tutorial.language_model.LanguageModel`. Its second layer starts from
the state in which the first has *ended* the same sentence, so that the first prediction has heard of the last
word: :func:`lstm_tutorial.causality.future_influence` finds that in seconds. And two linear layers with
nothing between them may stand in place of the softmax's one.
"""

from torch import nn

from .language_model import LanguageModel


class Seed001(LanguageModel):
    """The model of seed 001, for one batch of whole sentences at a time; it carries no state.

    leaks : layer k + 1 starts from the last state of layer k, as published. False: from zeros, and the model
        is a LanguageModel.
    wide : size of the linear layer before the one that gives the scores (5,000 in the paper); 0 for none.
        As no squashing lies between them, both together are one linear map of rank H.
    Other parameters as of LanguageModel.
    """

    def __init__(self, spec, vocabulary_size, hidden_size, *, leaks=True, wide=0, **options):
        super().__init__(spec, vocabulary_size, hidden_size, **options)
        self.leaks, self.wide = leaks, wide
        if wide:
            self.softmax = nn.Sequential(nn.Linear(hidden_size, wide), nn.Linear(wide, vocabulary_size))

    def start_of_layer(self, k, state, ended):
        """The state of the layer below, after the whole sentence; zeros for the first layer."""
        return ended[-1] if self.leaks and ended else None

    @property
    def output_bias(self):
        return self.softmax[-1].bias if self.wide else super().output_bias
