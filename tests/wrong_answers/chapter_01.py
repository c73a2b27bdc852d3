"""Wrong answers on gradients over time."""

WRONG = {
    "01.1": [
        ("def step_jacobian(R, y): return R", "tanh has a slope"),
        ("def step_jacobian(R, y): return R * (1 - y**2)", "scale the columns"),
        ("def step_jacobian(R, y): return ((1 - y**2)[:, None] * R).T", "transpose"),
        ("def step_jacobian(R, y): return np.diag(1 - np.tanh(y)**2) @ R", "once more"),
        ("def step_jacobian(R, y): return (1 - y**2) @ R", "a Jacobian is (3, 3)"),
        ("def step_jacobian(R, y): return np.diag(y * (1 - y)) @ R", "slope of σ"),
        ("def step_jacobian(R, y): return np.diag(1 - y) @ R", "central differences"),
    ],
    "01.2": [
        ("def cell_path(f): return np.cumprod(f[::-1], 0)[::-1]", "4 rows"),
        (
            "def cell_path(f): return np.concatenate([np.ones_like(f[:1]), np.cumprod(f, 0)])",
            "from the first step on",
        ),
        (
            "def cell_path(f): return np.concatenate([np.ones_like(f[:1]), np.cumprod(f[::-1], 0)])",
            "upside down",
        ),
        (
            "def cell_path(f): return np.array([f[t + 1:].prod(0) for t in range(len(f))] + [f[0] * 0 + 1])",
            "off by one",
        ),
        (
            "def cell_path(f): return np.concatenate([np.cumsum(f[::-1], 0)[::-1], np.ones_like(f[:1])])",
            "factors multiply",
        ),
        (
            "def cell_path(f): return np.concatenate([np.cumprod(f[::-1], 0)[::-1], np.zeros_like(f[:1])])",
            "no gate has been passed",
        ),
        ("def cell_path(f): return f.prod(0)", "should be (T + 1, B, H)"),
    ],
    "01.3": [
        ("def forget_bias(n): return 2 ** (-1 / n)", "that is f itself"),
        ("def forget_bias(n): f = 2 ** (-1 / n); return np.log((1 - f) / f)", "sign is turned"),
        ("def forget_bias(n): f = np.exp(-1 / n); return np.log(f / (1 - f))", "1/e is left"),
        ("def forget_bias(n): f = 0.5 / n; return np.log(f / (1 - f))", "divided by n"),
        ("def forget_bias(n): return np.log(n)", "and not a half"),
    ],
    "01.4": [
        (
            "def remember(p): p['W_z'][0, 0] = 3; p['b_f'][:] = 1; p['b_o'][:] = 3; return p",
            "it fades",
        ),
        (
            "def remember(p): p['W_z'][0] = 3; p['b_f'][:] = 10; p['b_o'][:] = 3; return p",
            "the noise gets",
        ),
        (
            "def remember(p): p['W_z'][0, 0] = 3; p['b_i'][:] = -10; p['b_f'][:] = 10; return p",
            "does not get in",
        ),
        (
            "def remember(p): p['W_z'][0, 0] = 3; p['b_f'][:] = 10; p['b_o'][:] = -3; return p",
            "output gate hides",
        ),
        ("def remember(p): p['W_z'][0, 0] = -3; p['b_f'][:] = 10; return p", "not the sign"),
        (
            "def remember(p): p['W_z'][0, 0] = 3; p['b_z'][:] = .5; p['b_f'][:] = 10; return p",
            "drifts",
        ),
        ("def remember(p): p['W_z'] = np.array([3.0, 0.0]); p['b_f'][:] = 10; return p", "W_z is (1, 2)"),
    ],
    "01.5": [
        (
            "def clip(grads, m): return {k: g * min(1, m / np.sqrt((g**2).sum())) for k, g in grads.items()}",
            "by its own norm",
        ),
        (
            "def clip(grads, m): return {k: np.clip(g, -m, m) for k, g in grads.items()}",
            "cut off at ±max_norm",
        ),
        (
            "def clip(grads, m):\n"
            "    n = np.sqrt(sum((g**2).sum() for g in grads.values()))\n"
            "    return {k: g * m / n for k, g in grads.items()}",
            "never larger",
        ),
        (
            "def clip(grads, m):\n"
            "    n = sum((g**2).sum() for g in grads.values())\n"
            "    return {k: g * min(1, m / n) for k, g in grads.items()}",
            "the root of that",
        ),
        (
            "def clip(grads, m):\n"
            "    n = sum(np.sqrt((g**2).sum()) for g in grads.values())\n"
            "    return {k: g * min(1, m / n) for k, g in grads.items()}",
            "squares that add up",
        ),
        (
            "def clip(grads, m):\n"
            "    n = np.sqrt(sum((g**2).sum() for g in grads.values()))\n"
            "    for g in grads.values():\n"
            "        g *= min(1, m / n)\n"
            "    return grads",
            "the arrays that it was given",
        ),
        ("def clip(grads, m): return grads", "nothing is clipped"),
    ],
}
