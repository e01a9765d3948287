"""The sizes in which BERT was released."""

from collections.abc import Mapping

# https://github.com/google-research/bert, "24 smaller BERT models"; attention heads are 64 wide.
SIZES: Mapping[str, dict] = {
    name: {
        "num_layers": num_layers,
        "num_heads": hidden_dim // 64,
        "hidden_dim": hidden_dim,
        "intermediate_dim": 4 * hidden_dim,
    }
    for name, num_layers, hidden_dim in (
        ("tiny", 2, 128),
        ("mini", 4, 256),
        ("small", 4, 512),
        ("medium", 8, 512),
        ("base", 12, 768),
        ("large", 24, 1024),
    )
}
