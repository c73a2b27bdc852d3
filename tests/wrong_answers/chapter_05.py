"""Wrong answers to the exercises of chapter 05."""

ALL = """
def all_right(s, legal):
    low, high = np.where(legal, s, np.inf), np.where(legal, -np.inf, s)
    return """
ONE = "def one_step_back(dc, f, p_i, p_f, di_bar, df_bar, truncate): return "
BEST = "def best_loss(legal): return "
# What every timer below shares: a count that rises by 1 a step, and most of the gates.
TIMER = """
W = dict(W_z=np.log(3), b_i=40.0, W_i=0, W_f=0, W_o=0, R_z=0, R_i=0, R_f=0, R_o=0, p_i=0, b_z=0)

def gates(p_f, f_turns, p_o, o_turns):
    return dict(p_f=p_f, b_f=-p_f * f_turns, p_o=p_o, b_o=-p_o * o_turns)

def timer(period): return """

WRONG = {
    "05.2": [
        (ALL + "(legal & (s == s.max(-1, keepdims=True))).any(-1).all(0)", "a legal symbol scores lower"),
        (ALL + "(low.min(-1) >= high.max(-1)).all(0)", "score the same"),
        (ALL + "(low.min(-1) > high.max(-1)).all()", "one verdict for each sequence"),
        (ALL + "low.min(-1) > high.max(-1)", "one verdict for each sequence"),
        (ALL + "((s > 0.5) == legal).all((0, 2))", "not their sign"),
        (ALL + "low.min((0, 2)) > high.max((0, 2))", "the order of the scores"),
    ],
    "05.1": [
        ("mean_length = 12", "embedded"),
        ("mean_length = 5", "shortest"),
        ("mean_length = 7", "B, or E"),
        ("mean_length = 6", "B and E"),
        ("mean_length = 10.5", "at every node"),
    ],
    "05.4": [
        (ONE + "dc * f", "gates looked at c⁻"),
        (ONE + "dc * f + p_i * di_bar + p_f * df_bar", "no error goes back through a peephole"),
        (ONE + "dc", "passes the forget gate"),
        (ONE + "0 * dc if truncate else dc * f + p_i * di_bar + p_f * df_bar", "leaves open"),
        (ONE + "dc * f + (0 if truncate else di_bar + df_bar)", "multiplied by its weight"),
        (ONE + "(dc * f).sum(0)", "like δc"),
    ],
    "05.5": [
        (TIMER + "W | gates(0, 0, 20, period - 0.5) | dict(b_f=40.0)", "nothing sets the count back"),
        (TIMER + "W | gates(-20, period - 0.5, 20, period + 0.5)", "it has none"),
        (TIMER + "W | gates(-20, period + 0.5, 20, period + 0.5)", "off by one"),
        (TIMER + "W | gates(-20, period - 0.5, -20, period - 0.5)", "it has them at 1"),
        (TIMER + "dict(p_o=20.0)", "it has no"),
        (TIMER + "(20.0, -20 * (period - 0.5))", "a dict"),
    ],
    "05.3": [
        (BEST + "np.log(legal.shape[-1])", "knowing nothing"),
        (BEST + "np.log(legal.sum(-1).mean())", "logarithm of a mean"),
        (BEST + "np.log2(legal.sum(-1)).mean()", "bits"),
        (BEST + "legal.sum(-1).mean()", "before the logarithm"),
        (BEST + "-np.log(legal.sum(-1)).mean()", "not negative"),
        (BEST + "np.log(legal.sum(-1))", "one number"),
    ],
}
