"""Wrong answers to the exercises of chapter 09, and words that must be in what the check says."""


def weights(body):
    return f"def last_weights(i, f):\n    T = len(i)\n    one = np.ones_like(i[:1])\n    {body}"


REVERSED = "np.cumprod(f[::-1], axis=0)[::-1]"
AFTER = "np.concatenate([np.cumprod(f[::-1], axis=0)[::-1][1:], one])"
step = "def one_more_step(w, i, f): return np.concatenate({})".format
average = "def plain_average(T): return {}".format
half = "def half_memory(f): return {}".format
without = "def without(c, o, w, z): return {}".format

WRONG = {
    "09.1": [
        (weights(f"return i * {AFTER}"), "c_0 has a weight too"),
        (weights(f"return np.concatenate([f.prod(0)[None], i * {REVERSED}])"), "one forget gate too many"),
        (weights("return np.concatenate([f.prod(0)[None], i * np.cumprod(f, axis=0)])"), "the wrong end"),
        (weights(f"return np.concatenate([f.prod(0)[None], i * {AFTER}])[::-1]"), "the wrong order"),
        (weights(f"return np.concatenate([f.prod(0)[None], {AFTER}])"), "passed the input gate"),
        (weights("return np.concatenate([one, i]) * f.prod(0)"), "every row has all the forget gates"),
        (weights(f"return np.concatenate([one, i * {AFTER}])"), "the row of c_0 differs"),
        (weights("return np.concatenate([one, i * f])"), "it differs from what writing 1"),
    ],
    "09.2": [
        (step("[w, i[None]]"), "passed the forget gate once more"),
        ("def one_more_step(w, i, f): return w * f", "one more weight"),
        (step("[w * f, (i * f)[None]]"), "does not pass it"),
        (step("[i[None], w * f]"), "stands in front"),
        (step("[w * i, f[None]]"), "the gates are exchanged"),
        (step("[w[:1], w[1:] * f, i[None]]"), "row 0 stays"),
        (step("[w * f, 1 - f[None]]"), "coupled gates only"),
        (step("[w * f, np.ones_like(i[None])]"), "unrolled from the start"),
    ],
    "09.4": [
        (average("np.full(T, 1 / T)"), "the earlier ones less"),
        (average("1 / np.arange(T, 0, -1)"), "the order is turned round"),
        (average("np.arange(1, T + 1) / T"), "the last word takes everything"),
        (average("1 / np.arange(2, T + 2)"), "c_0 keeps the weight"),
        (average("np.full(T, 0.5)"), "and not all 1/T"),
        (average("1 / T"), "one for each step"),
        (average("np.arange(1.0, T + 1)"), "between 0 and 1"),
    ],
    "09.5": [
        (half("np.log(0.5) / np.log(f)"), "lost half its weight"),
        (half("round(np.log(0.5) / np.log(f))"), "lost half its weight"),
        (half("np.log(0.5) / np.log(f) - 1"), "which way to round"),
        (half("max(0, int(np.log(0.5) / np.log(f) - 1))"), "lies less than half"),
        (half("int(np.ceil(np.log(0.5) / np.log(f) - 1)) if f > 0.6 else -1"), "it is negative"),
        (half("int(np.log(0.5) / np.log(f))"), "exactly half"),
        (half("int(1 / (1 - f))"), "half of the sum lies within"),
        (half("np.log(0.5) / np.log(np.array([f]))"), "not an array"),
    ],
    "09.3": [
        (without("o * np.tanh(c)"), "nothing was taken out"),
        (without("o * np.tanh(c - z)"), "arrives at c with a weight"),
        (without("o * np.tanh(c + w * z)"), "put in once more"),
        (without("o * (np.tanh(c) - np.tanh(w * z))"), "no difference of tanhs"),
        (without("o * np.tanh(c) - o * w * z"), "only then let tanh"),
        (without("o * np.tanh(c) - w * z"), "only then let tanh"),
        (without("o * np.tanh(w * z)"), "the word alone"),
        (without("np.tanh(c - w * z)"), "the output gate is missing"),
        (without("o * (c - w * z)"), "goes through tanh"),
        (without("c - w * z"), "there are tanh and the output gate"),
        (without("o * np.tanh(c - w)"), "what does it weigh"),
    ],
}
