"""Wrong answers to the warm-ups."""

WRONG = {
    "00.1": [
        ("def slope(s): return 1 - s**2", "slope of tanh"),
        ("def slope(s): return s * (s - 1)", "cannot be negative"),
        ("def slope(s): v = 1 / (1 + np.exp(-s)); return v * (1 - v)", "once more"),
        ("def slope(s): return (s * (1 - s)).sum()", "returns shape ()"),
        ("def slope(s): return 1 - s", "central differences"),
    ],
    "00.2": [
        ("def dL_dv(x, v, w): return 2 * w**2 * np.tanh(v * x) * x", "tanh has a slope"),
        ("def dL_dv(x, v, w): t = np.tanh(v * x); return 2 * w**2 * t * (1 - t**2)", "slope of v x"),
        ("def dL_dv(x, v, w): t = np.tanh(v * x); return w**2 * t * (1 - t**2) * x", "slope of a square"),
        ("def dL_dv(x, v, w): t = np.tanh(v * x); return 2 * w * t * (1 - t**2) * x", "there twice"),
        ("def dL_dv(x, v, w): return np.cosh(v)", "central differences"),
    ],
    "00.3": [
        ("def all_steps(W, x): return x @ W", "it raises ValueError"),
        ("def all_steps(W, x): return W @ x.transpose(0, 2, 1)", "it should be (T, B, H)"),
        ("def all_steps(W, x): return x[0] @ W.T", "it should be (T, B, H)"),
        ("def all_steps(W, x): return (x @ W.T)[::-1]", "is not W x[t, b]"),
        ("def all_steps(W, x): return (x.reshape(-1, 2) @ W.T)", "it should be (T, B, H)"),
    ],
    "00.4": [
        ("def dL_dW(dy, x): return x.T @ dy", "transpose"),
        ("def dL_dW(dy, x): return dy.T @ x / len(x)", "mean over the batch"),
        ("def dL_dW(dy, x): return np.outer(dy[0], x[0])", "only the first"),
        ("def dL_dW(dy, x): return dy @ x.T", "it raises ValueError"),
        ("def dL_dW(dy, x): return dy * 0", "not (4, 2)"),
    ],
}
