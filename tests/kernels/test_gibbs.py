"""Gibbs sampling against the reference in integers, on every backend; against enumeration; against float64."""

import hashlib
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_ndtr, ndtr, ndtri
from scipy.stats import chi2, kstest, truncnorm

import hapforge as hf
from hapforge import _backend
from hapforge.kernels import GibbsMachine, GibbsState, bit_product, gibbs
from kernels.cases import random_dense
from reference import gibbs as reference
from reference import pack as pack_reference

BACKENDS = _backend.available_backends("gibbs")
CPU_BACKENDS = [name for name in BACKENDS if name != "cuda"]
every_backend = pytest.mark.parametrize("backend", BACKENDS)
# Where many draws are needed: a device has the same bits (other tests), and its emulation takes its time.
every_cpu_backend = pytest.mark.parametrize("backend", CPU_BACKENDS)
U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)

PHILOX_KNOWN = [  # kat_vectors of Random123
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((2**32 - 1,) * 4, (2**32 - 1,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), PHILOX_KNOWN)
def test_philox_known_answers(counter, key, words):
    assert _backend.core.philox4x32(*counter, *key) == words
    assert reference.philox4x32(counter, key) == words


def parameters(num_visible, num_hidden, scale=0.4, seed=0):
    """Real weights and biases."""
    rng = np.random.default_rng([seed, num_visible, num_hidden])
    return rng.normal(0, scale, (num_visible, num_hidden)), rng.normal(-1, 1, num_visible), rng.normal(0, 1, num_hidden)


def integers(num_visible, num_hidden, k, **more):
    return [reference.rounded(part, k) for part in parameters(num_visible, num_hidden, **more)]


def machine_of(parts, k, backend="auto"):
    return GibbsMachine(*(part.astype(np.int32) for part in parts), fixed_point_bits=k, backend=backend)


def test_the_reference_at_once_is_the_reference():
    field = np.random.default_rng(0).normal(0, 60_000, (3, 70)).round().astype(np.int64)
    args = (15, 2**63 + 12345, 7, 1, 40)
    assert np.array_equal(reference.bernoulli_units_at_once(field, *args), reference.bernoulli_units(field, *args))


# Around the quads (2 of 32 units), the groups of look-ups (3, 5), their chunks (64 groups) and the word of chains.
UNITS = [(0, 3), (3, 0), (1, 1), (2, 5), (3, 17), (5, 2), (6, 33), (15, 16), (31, 65), (64, 32), (130, 7), (7, 129)]
UNITS += [(193, 40), (40, 193), (321, 18), (18, 326)]
CHAINS = [0, 1, 2, 63, 64, 65, 128, 129, 300]


@every_backend
@pytest.mark.parametrize(("units", "num_chains"), [(u, 67) for u in UNITS] + [((37, 21), n) for n in CHAINS], ids=str)
def test_all_shapes_match_the_reference(backend, units, num_chains, assert_ran):
    weights, a, b = parameters(*units)
    visible = random_dense((num_chains, units[0]))
    args = {"seed": 2**63 + 12345, "first_step": 7, "first_chain": 40}
    expected = reference.gibbs(*integers(*units, k=16), visible, 16, 2, **args)
    found = gibbs(weights, a, b, visible, steps=2, **args, backend=backend, threads=1)
    assert found.visible.dtype == found.hidden.dtype == np.uint8
    assert np.array_equal(found.visible, expected[0])
    assert np.array_equal(found.hidden, expected[1])
    assert_ran("GibbsLayer", backend)


EXTREMES = [0, 1, -1, 2, -2, 2**15, -(2**15), 2**20, -(2**20), 2**24, -(2**24), 2**30, -(2**30), 2**31 - 1, 1 - 2**31]


@every_backend
@pytest.mark.parametrize("k", [1, 2, 8, 15, 16, 20])
def test_extreme_fields(backend, k):
    a, b = np.array(EXTREMES * 3, np.int32), np.array(EXTREMES[::-1] * 2, np.int32)
    machine = GibbsMachine(np.zeros((len(a), len(b)), np.int32), a, b, fixed_point_bits=k, backend=backend)
    found = machine.run(np.zeros((5, len(a)), np.uint8), steps=1, seed=1, first_step=2)
    assert np.array_equal(found.visible, reference.bernoulli_units(np.tile(a, (5, 1)), k, 1, 2, 1))
    assert np.array_equal(found.hidden, reference.bernoulli_units(np.tile(b, (5, 1)), k, 1, 2, 0))


@st.composite
def machines(draw):
    num_visible, num_hidden = draw(st.integers(0, 40)), draw(st.integers(0, 40))
    scale = 2 ** draw(st.integers(0, 25))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    weights = rng.integers(-scale, scale, (num_visible, num_hidden), endpoint=True)
    scale = min(scale, (2**31 - 1 - 40 * scale))
    return weights, rng.integers(-scale, scale, num_visible), rng.integers(-scale, scale, num_hidden)


@every_backend
@given(
    parts=machines(),
    num_chains=st.integers(0, 70),
    k=st.integers(1, 20),
    seed=U64,
    first_step=st.integers(0, 2**32 - 2),
    first_chain=st.integers(0, 2**32 - 71),
    density=st.sampled_from([0, 0.1, 0.5, 1]),
    held=st.sampled_from([None, 0, 1, 2]),
)
def test_any_arguments_match_the_reference(backend, parts, num_chains, k, seed, first_step, first_chain, density, held):
    visible = random_dense((num_chains, len(parts[1])), density=density)
    clamp = {0: None, 1: np.arange(len(parts[1])) % 3 == 0, 2: random_dense(visible.shape, seed=1).astype(bool)}.get(
        held
    )
    args = {"seed": seed, "first_step": first_step, "first_chain": first_chain, "clamp": clamp}
    found = machine_of(parts, k, backend).run(visible, steps=2, **args, threads=1)
    expected = reference.gibbs(*parts, visible, k, 2, **args)
    assert np.array_equal(found.visible, expected[0])
    assert np.array_equal(found.hidden, expected[1])


@pytest.mark.parametrize("k", [12, 15, 20])
def test_one_hash_over_backends_and_threads(k):
    weights, a, b = parameters(150, 200, scale=0.2)
    visible = (random_dense((300, 150)), random_dense((133, 150)))
    digests = set()
    on_device = [("cuda", 1)] if "cuda" in BACKENDS else []  # which has no threads of the host
    for backend, threads in [*itertools.product(CPU_BACKENDS, (1, 2, 5)), *on_device]:
        digest = hashlib.sha256()
        for start in visible:
            state = gibbs(weights, a, b, start, steps=3, seed=3, fixed_point_bits=k, backend=backend, threads=threads)
            digest.update(state.visible.tobytes() + state.hidden.tobytes())
        digests.add(digest.hexdigest())
    assert len(digests) == 1


@every_backend
def test_steps_and_chains_in_parts_are_those_of_one_call(backend):
    machine = machine_of(integers(70, 50, 12), 12, backend)
    start = random_dense((200, 70))
    whole = machine.run(start, steps=5, seed=3)
    half = machine.run(start, steps=2, seed=3)
    rest = machine.run(half.visible, steps=3, seed=3, first_step=2)
    parts = [machine.run(start[i : i + 77], steps=5, seed=3, first_chain=i) for i in (0, 77, 154)]
    for i in (0, 1):
        assert np.array_equal(rest[i], whole[i])
        assert np.array_equal(np.concatenate([part[i] for part in parts]), whole[i])
    other = machine.run(half.visible, steps=3, seed=3)  # the wrong steps: it must show
    assert not np.array_equal(other.visible, whole.visible)


# ---- sums ------------------------------------------------------------------------------------------


def at_the_edge(num_rows, window, total):
    """(num_rows, 4): every aligned window of a column sums to +-total or, with signs that alternate, to little."""
    weights = np.zeros((num_rows, 4), np.int64)
    for begin in range(0, num_rows, window):
        end = min(num_rows, begin + window)
        share = np.full(end - begin, total // (end - begin))
        share[: total - share.sum()] += 1
        weights[begin:end] = share[:, None] * [1, -1, 0, 0]
        weights[begin:end, 2:] = share[:, None] * ((-1) ** np.arange(end - begin))[:, None] * [1, 2]
    return weights


@every_backend
@pytest.mark.parametrize("total", [32767, 32768, 65534, 65536, 100_000, 2**21, 2**21 + 1])
@pytest.mark.parametrize("window", [1, 3, 5, 6, 10, 12, 16, 20, 24, 40, 80, 160, 192, 320])
def test_sums_at_the_edge_of_int16_are_exact(backend, window, total):
    """In-units at 1 where a column's weights have one sign, so that sums reach the edge; W and its transpose."""
    weights = at_the_edge(330, window, total)
    visible = np.ones((70, 330), np.uint8)
    visible[1] = weights[:, 2] > 0
    visible[2] = weights[:, 2] < 0
    visible[3:] = random_dense((67, 330))
    found = bit_product(visible.T.copy(), np.ascontiguousarray(weights.T).astype(np.int32), backend=backend)
    assert np.array_equal(found, weights.T @ visible.T)
    # the same through a machine, both ways: the sign of a field decides where it is large
    k = 8
    parts = (weights, np.full(330, -3), np.full(4, 5))
    state = machine_of(parts, k, backend).run(visible, steps=1, seed=1)
    expected = reference.gibbs(*parts, visible, k, 1, 1)
    assert np.array_equal(state.hidden, expected[1])
    assert np.array_equal(state.visible, expected[0])
    turned = (np.ascontiguousarray(weights.T), np.full(4, 5), np.full(330, -3))
    start = random_dense((70, 4), density=0.7)
    expected = reference.gibbs(*turned, start, k, 1, 1)
    state = machine_of(turned, k, backend).run(start, steps=1, seed=1)
    assert np.array_equal(state.hidden, expected[1])
    assert np.array_equal(state.visible, expected[0])


@every_backend
@pytest.mark.parametrize(
    ("n", "num_sites", "num_sums"), [(0, 3, 2), (1, 1, 1), (65, 63, 3), (500, 130, 40), (1000, 64, 7)]
)
@pytest.mark.parametrize("scale", [100, 16384, 2**20])
def test_bit_products_are_exact(backend, n, num_sites, num_sums, scale):
    weights = np.random.default_rng(1).integers(-scale, scale, (num_sums, n), endpoint=True).astype(np.int32)
    bits = random_dense((n, num_sites))
    for threads in (1, 3):
        found = bit_product(bits, weights, backend=backend, threads=threads)
        assert found.dtype == np.int32
        assert np.array_equal(found, weights.astype(np.int64) @ bits)


@every_backend
@pytest.mark.parametrize("most", [127, 128, 32_639, 32_640, 8_355_711, 8_355_712, 2**26])
def test_weights_around_the_ends_of_digits(backend, most):
    """Base 256, balanced: the least weight that needs another digit, with either sign; 300 in-units, some twice."""
    weights = np.array([most, -most, most - 1, 1 - most, 128 - most, -128, 255, 0, 1, -1]).repeat(2)
    weights = np.concatenate([np.roll(weights, j) * (-1) ** j for j in range(7)])
    weights = np.stack([weights, weights[::-1], np.sign(weights) * (np.arange(len(weights)) % 3 == 0)])
    weights *= np.abs(weights).cumsum(1) < 2**31  # a row's magnitudes are within the bound
    bits = random_dense((weights.shape[1], 65))
    assert np.array_equal(bit_product(bits, weights.astype(np.int32), backend=backend), weights @ bits)


@every_backend
def test_the_largest_fields(backend):
    """Weights and biases up to the bound; one more is refused."""
    weights = np.full((31, 1), 2**26, np.int32)
    bias = np.array([2**31 - 1 - 31 * 2**26], np.int32)
    zeros = np.zeros(31, np.int32)
    machine = GibbsMachine(weights, zeros, bias, fixed_point_bits=20, backend=backend)
    bits = np.array([[1], [0]] * 15 + [[1]], np.uint64)
    assert machine.hidden_fields(bits, 1).tolist() == [[16 * 2**26 + bias[0]]]
    with pytest.raises(
        ValueError, match=r"sum to less than 2\^31 with the bias of their unit, found 2147483648 for unit 0"
    ):
        GibbsMachine(weights, zeros, bias + 1, fixed_point_bits=20, backend=backend)
    with pytest.raises(ValueError, match=r"expected at most 2\^26 in magnitude, found 67108865 for unit 0"):
        GibbsMachine(-weights - 1, zeros, zeros[:1], fixed_point_bits=20, backend=backend)
    with pytest.raises(ValueError, match="found 2147483648 for unit 0"):
        GibbsMachine(weights.T.copy(), bias + 1, zeros, fixed_point_bits=20, backend=backend)


@pytest.mark.parametrize(("num_sites", "sigma"), [(805, 0.05), (805, 0.3), (10_000, 0.02)])
@pytest.mark.parametrize(("k", "most"), [(12, 4e-3), (15, 6e-4), (20, 2.5e-5)])
def test_conditional_probabilities_against_float64(num_sites, sigma, k, most):
    """The error of a field is at most that of the rounding of its terms; probabilities come within `most`."""
    rng = np.random.default_rng(4)
    weights, b = rng.normal(0, sigma, (num_sites, 32)), rng.normal(0, 1, 32)
    visible = random_dense((256, num_sites), density=0.2)
    exact = visible @ weights + b
    machine = GibbsMachine.rounded(weights, np.zeros(num_sites), b, fixed_point_bits=k)
    bits = pack_reference.pack(visible.T)
    field = machine.hidden_fields(bits, 256).T / 2.0**k
    assert (np.abs(field - exact) <= (visible.sum(1)[:, None] + 1) * 2.0 ** -(k + 1)).all()
    error = np.abs(1 / (1 + np.exp(-field)) - 1 / (1 + np.exp(-exact))).max()
    assert most / 20 < error < most


# ---- distribution ----------------------------------------------------------------------------------


def test_the_threshold_is_the_logistic_function_and_monotone():
    k = 15
    for x in range(-10 * 2**k, 10 * 2**k, 4099):
        e = reference.decay(abs(x), k) / reference.ONE
        probability = 1 / (1 + e) if x >= 0 else e / (1 + e)
        assert abs(probability - 1 / (1 + math.exp(-x * 2.0**-k))) < 3e-8  # 2.1e-8 measured
    decays = [reference.decay(y, k) for y in range(0, 2**19, 61)]
    assert decays == sorted(decays, reverse=True)


@every_cpu_backend
def test_units_only_ever_rise_with_their_field(backend):
    """The same random words, biases from -8 to 8: a unit that is 1 stays 1."""
    before = np.zeros((400, 64), np.uint8)
    ones = []
    for x in range(-8 << 12, (8 << 12) + 1, 509):
        bias = np.full(64, x, np.int32)
        machine = GibbsMachine(np.zeros((64, 1), np.int32), bias, bias[:1], fixed_point_bits=12, backend=backend)
        now = machine.run(np.zeros((400, 64), np.uint8), steps=1, seed=8).visible
        assert (now >= before).all()
        before = now
        ones.append(now.mean())
    assert ones[0] < 0.005
    assert ones[-1] > 0.995


@every_backend
@pytest.mark.parametrize("k", [12, 20])
def test_at_the_threshold_of_every_unit(backend, k):
    """The field at which a unit's random word flips it, found by bisection: just there backends must agree."""
    n, units, most = 64, 400, 12 << k
    low, high = np.full((n, units), -most), np.full((n, units), most)
    for _ in range(k + 5):
        middle = (low + high) // 2
        on = reference.bernoulli_units_at_once(middle, k, 6, 0, 1).astype(bool)
        low, high = np.where(on, low, middle), np.where(on, middle, high)
    assert (high - low == 1).mean() > 0.99
    for shift in (-1, 0, 1):
        # chain c on its own, so that every chain has fields of its own
        for chain in range(0, n, 9):
            bias = (high[chain] + shift).astype(np.int32)
            machine = GibbsMachine(np.zeros((units, 1), np.int32), bias, bias[:1], fixed_point_bits=k, backend=backend)
            found = machine.run(np.zeros((1, units), np.uint8), steps=1, seed=6, first_chain=chain).visible
            assert np.array_equal(
                found, reference.bernoulli_units_at_once(bias[None].astype(np.int64), k, 6, 0, 1, chain)
            )


@every_cpu_backend
def test_frequencies(backend):
    """Two million draws a field; the mean is within five standard errors of the logistic function."""
    n, units = 8000, 256
    for x in (-3.0, -0.5, 0.0, 0.25, 2.0):
        bits = gibbs(
            np.zeros((units, 1)),
            np.full(units, x),
            [0.0],
            np.zeros((n, units), np.uint8),
            steps=1,
            seed=9,
            backend=backend,
        ).visible
        p = 1 / (1 + math.exp(-x))
        assert abs(bits.mean() - p) < 5 * math.sqrt(p * (1 - p) / bits.size), x


def exact_visible(weights, a, b):
    """P(v) of all v, site 0 the lowest bit; hidden units summed out in float64."""
    v = np.arange(1 << len(a))[:, None] >> np.arange(len(a)) & 1
    log_p = v @ a + np.logaddexp(0, v @ weights + b).sum(1)
    p = np.exp(log_p - log_p.max())
    return p / p.sum()


def mean_z2(parts, k, num_chains, steps, seeds):
    """Chi-square over its degrees of freedom, of the visible states at the last step against the exact distribution."""
    num_visible = len(parts[1])
    seen = np.zeros(1 << num_visible, np.int64)
    machine = GibbsMachine.rounded(*parts, fixed_point_bits=k)
    for seed in seeds:
        bits, _ = machine.run_bits(None, num_chains, steps=steps, seed=seed)
        dense = _backend.unpack(_backend.transpose(bits, num_chains), num_visible)
        seen += np.bincount(dense @ (1 << np.arange(num_visible)), minlength=len(seen))
    expected = exact_visible(*parts) * seen.sum()
    rare = expected < 10
    seen, expected = (np.append(x[~rare], x[rare].sum()) for x in (seen, expected))
    keep = expected > 0
    return ((seen - expected) ** 2 / np.maximum(expected, 1e-9))[keep].sum() / (keep.sum() - 1), keep.sum() - 1


def limit(freedom):
    return chi2.isf(1e-4, freedom) / freedom


def test_chains_reach_the_enumerated_distribution():
    """10 x 8 units; rounding to 2**-4, and chains that are too short, must show."""
    parts = parameters(10, 8, scale=0.7, seed=5)
    found, freedom = mean_z2(parts, 15, 400_000, 40, [1])
    assert found < limit(freedom)
    assert mean_z2(parts, 4, 400_000, 40, [1])[0] > 2 * limit(freedom)
    assert mean_z2(parts, 15, 400_000, 1, [1])[0] > 2 * limit(freedom)


@pytest.mark.slow
@pytest.mark.parametrize("units", [(10, 8), (12, 9)])
def test_forty_million_samples_against_enumeration(units):
    """Mean z2 near 1; rounding to 2**-8 must show, of parameters that all round the same way."""
    parts = [(np.floor(part * 2.0**8) + 0.4375) / 2.0**8 for part in parameters(*units, scale=0.7, seed=5)]
    found, freedom = mean_z2(parts, 15, 2_000_000, 30, range(20))
    assert found < limit(freedom)
    assert mean_z2(parts, 8, 2_000_000, 30, range(10))[0] > limit(freedom)


# ---- rectified hidden units ------------------------------------------------------------------------

GRID = 2.0**-10


def rectified_hidden(field, u):
    """h on the grid, from a field in float64 and a 32-bit uniform: by SciPy, a quantile of a Gaussian cut off at 0."""
    u = (u + 0.5) / 2**32
    h = np.where(field < -35, np.log(u) / np.minimum(field, -1), field - ndtri(u * ndtr(np.maximum(field, -36))))
    return np.clip(np.rint(h / GRID), 0, 2**20 - 1).astype(np.int64)


@every_cpu_backend
@pytest.mark.parametrize(("units", "n"), [((33, 7), 67), ((5, 40), 130), ((0, 3), 3), ((3, 0), 3), ((130, 21), 600)])
def test_rectified_units_are_quantiles_and_what_follows_is_exact(backend, units, n):
    k, args = 12, {"seed": 5, "first_step": 3, "first_chain": 9}
    weights, a, b = integers(*units, k, scale=0.8)
    b[::2] *= 9
    start = random_dense((n, units[0]))
    machine = GibbsMachine(
        *(part.astype(np.int32) for part in (weights, a, b)), fixed_point_bits=k, hidden="relu", backend=backend
    )
    clamp = np.arange(units[0]) % 4 == 0
    for threads in (1, 3):
        found = machine.run(start, steps=1, clamp=clamp, **args, threads=threads)
        assert found.hidden.dtype == np.float32
        h = np.rint(found.hidden / GRID).astype(np.int64)
        assert np.array_equal(found.hidden, (h * GRID).astype(np.float32))
        u = np.array([[reference.uniform(j, 9 + c, 3, 0, 5) for j in range(units[1])] for c in range(n)])
        expected = rectified_hidden((start @ weights + b) / 2.0**k, u.reshape(n, units[1]))
        assert np.abs(h - expected).max(initial=0) <= 1
        assert (h == expected).mean() > 0.999 if h.size else True
        field = ((h @ weights.T + 512) >> 10) + a
        drawn = reference.bernoulli_units_at_once(field, k, 5, 3, 1, 9)
        assert np.array_equal(found.visible, np.where(clamp, start, drawn))
    # two steps are one and one; no backend or thread count shows
    two = machine.run(start, steps=2, clamp=clamp, **args, threads=2)
    again = machine.run(found.visible, steps=1, clamp=clamp, seed=5, first_step=4, first_chain=9)
    assert np.array_equal(two.visible, again.visible)
    assert np.array_equal(two.hidden, again.hidden)


@pytest.mark.parametrize("x", [-60.0, -34.9, -8.0, -2.0, -0.3, 0.0, 1.0, 6.0, 40.0])
def test_rectified_units_have_their_distribution(x):
    bias = np.full(64, x)
    found = gibbs(np.zeros((1, 64)), [0.0], bias, np.zeros((2000, 1), np.uint8), steps=1, seed=3, hidden="relu").hidden
    spread = np.random.default_rng(0).uniform(-GRID / 2, GRID / 2, found.shape)  # the grid, undone
    h = np.abs(found + spread).ravel()
    assert kstest(h, truncnorm(-x, np.inf, loc=x).cdf).pvalue > 1e-4
    if x >= -2:  # further out a shift of the mean changes little
        assert kstest(h, truncnorm(-x - 0.05, np.inf, loc=x + 0.05).cdf).pvalue < 1e-4


def test_very_large_rectified_units_are_held():
    found = gibbs(np.ones((1, 1)), [0.0], [1000.0], np.ones((3, 1), np.uint8), steps=1, seed=3, hidden="relu")
    assert (np.abs(found.hidden - 1001) < 8).all()
    held = gibbs(np.ones((1, 1)), [0.0], [3000.0], np.ones((3, 1), np.uint8), steps=1, seed=3, hidden="relu")
    assert (held.hidden == 1024 - GRID).all()
    assert held.visible.all()


def test_rectified_chains_reach_the_exact_distribution():
    """P(v) with h integrated out: each contributes exp(x^2 / 2) Phi(x)."""
    weights, a, b = parameters(6, 5, scale=0.5, seed=2)
    b -= 0.5
    v = np.arange(64)[:, None] >> np.arange(6) & 1
    x = v @ weights + b
    log_p = v @ a + (x**2 / 2 + log_ndtr(x)).sum(1)
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    n = 60_000

    def z2(steps):
        state = gibbs(weights, a, b, np.zeros((n, 6), np.uint8), steps=steps, seed=1, hidden="relu")
        seen = np.bincount(state.visible @ (1 << np.arange(6)), minlength=64)
        return ((seen - n * p) ** 2 / (n * p)).sum() / 63

    assert z2(30) < limit(63)
    assert z2(1) > 2 * limit(63)


# ---- clamps, counts, forms, errors -----------------------------------------------------------------


@every_backend
def test_clamped_units_keep_their_value(backend):
    weights, a, b = parameters(97, 40)
    start = random_dense((150, 97))
    free = gibbs(weights, a, b, start, steps=3, seed=2, backend=backend)
    masks = [np.zeros(97, bool), np.ones(97, bool), np.arange(97) < 64, np.arange(97) % 2 == 0]
    masks.append(random_dense((150, 97), seed=3).astype(bool))
    for mask in masks:
        for threads in (1, 2):
            found = gibbs(weights, a, b, start, steps=3, seed=2, clamp=mask, backend=backend, threads=threads)
            expected = reference.gibbs(*integers(97, 40, 16), start, 16, 3, 2, clamp=mask)
            assert np.array_equal(found.visible, expected[0])
            assert np.array_equal(found.hidden, expected[1])
            assert np.array_equal(found.visible, free.visible) == (not mask.any())


@every_backend
@pytest.mark.parametrize("shape", [(0, 3, 2), (1, 1, 1), (130, 65, 63), (1000, 70, 200)])
@pytest.mark.parametrize("threads", [1, 3])
def test_counts_of_chains(backend, shape, threads):
    n, num_visible, num_hidden = shape
    machine = machine_of(integers(num_visible, num_hidden, 12), 12, backend)
    v, h = machine.run_bits(None, n, steps=2, seed=1)
    counts = machine.counts(v, h, n, threads=threads)
    dense_v, dense_h = (_backend.unpack(_backend.transpose(x, n), len(x)).astype(np.int64) for x in (v, h))
    assert dense_v.shape == (n, num_visible)
    assert np.array_equal(counts.visible, dense_v.sum(0))
    assert np.array_equal(counts.hidden, dense_h.sum(0))
    assert np.array_equal(counts.both, dense_v.T @ dense_h)
    state = GibbsState(dense_v.astype(np.uint8), dense_h.astype(np.uint8))
    assert all(map(np.array_equal, machine.state_counts(state, threads=threads), counts))


@every_backend
def test_a_start_is_drawn_with_even_odds_and_no_step_leaves_it(backend):
    machine = machine_of(integers(70, 50, 12), 12, backend)
    start, none = machine.run_bits(None, 300, steps=0, seed=4, first_chain=9)
    dense = _backend.unpack(_backend.transpose(start, 300), 70)
    assert np.array_equal(dense, reference.bernoulli_units_at_once(np.zeros((300, 70), np.int64), 12, 4, 0, 2, 9))
    assert not none.any()
    onwards = machine.run_bits(start, 300, steps=3, seed=4, first_chain=9)
    assert all(map(np.array_equal, machine.run_bits(None, 300, steps=3, seed=4, first_chain=9), onwards))


@every_backend
def test_padding_bits_of_a_start_do_not_matter(backend):
    machine = machine_of(integers(70, 50, 12), 12, backend)
    start, _ = machine.run_bits(None, 70, steps=0, seed=4)
    dirty = start.copy()
    dirty[:, -1] |= np.uint64(2**64 - 2**6)
    for clean_units, units in zip(
        machine.run_bits(start, 70, steps=2, seed=4), machine.run_bits(dirty, 70, steps=2, seed=4), strict=True
    ):
        assert np.array_equal(clean_units, units)
        assert not (units[:, -1] >> np.uint64(6)).any()
    assert np.array_equal(machine.hidden_fields(start, 70), machine.hidden_fields(dirty, 70))


def test_states_have_the_form_of_the_start():
    weights, a, b = parameters(70, 65)
    dense = random_dense((20, 70))
    args = {"steps": 2, "seed": 3}
    expected = gibbs(weights, a, b, dense, **args)
    assert isinstance(expected, GibbsState)
    for dtype in (np.bool_, np.int8):
        found = gibbs(weights, a, b, dense.astype(dtype), **args)
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == dtype
            assert np.array_equal(one, other)
    for found, other in zip(gibbs(weights, a, b, (pack_reference.pack(dense), 70), **args), expected, strict=True):
        words, num_units = found
        assert num_units == other.shape[1]
        assert np.array_equal(words, pack_reference.pack(other))
    matrix = hf.HaplotypeMatrix.from_dense(dense, positions=np.arange(70) * 10 + 5)
    found = gibbs(weights, a, b, matrix, **args)
    assert found.visible.sites == matrix.sites
    for one, other in zip(found, expected, strict=True):
        assert isinstance(one, hf.HaplotypeMatrix)
        assert np.array_equal(one.to_dense(), other)
    assert np.array_equal(dense, random_dense((20, 70)))  # the start is left alone


class OnlyDlpack:
    """An array that speaks DLPack and nothing else."""

    def __init__(self, array):
        self._array = array

    def __dlpack__(self, **arguments):
        return self._array.__dlpack__(**arguments)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


def test_states_of_tensors_are_tensors():
    torch = pytest.importorskip("torch")
    weights, a, b = parameters(70, 65)
    dense = random_dense((20, 70))
    args = {"steps": 2, "seed": 3}
    expected = gibbs(weights, a, b, dense, **args)
    for one, other in zip(gibbs(weights, a, b, torch.from_numpy(dense), **args), expected, strict=True):
        assert isinstance(one, torch.Tensor)
        assert one.dtype == torch.uint8
        assert np.array_equal(one.numpy(), other)
    words = torch.from_numpy(pack_reference.pack(dense))
    found = gibbs(weights, a, b, (words, 70), **args).visible[0]
    assert isinstance(found, torch.Tensor)
    assert np.array_equal(found.numpy(), pack_reference.pack(expected.visible))
    for one, other in zip(gibbs(weights, a, b, OnlyDlpack(dense), **args), expected, strict=True):
        assert one.dtype == np.uint8
        assert np.array_equal(one, other)


@every_backend
def test_a_digit_may_pass_an_int32_where_the_field_does_not(backend):
    """32 weights just under 2^26: three digits, the high one's part alone passes 2^31."""
    weights = np.full((1, 32), (1 << 26) - 64, np.int32)
    field = bit_product(np.ones((32, 1), np.uint8), weights, backend=backend)
    assert field.tolist() == [[32 * ((1 << 26) - 64)]]


def test_bad_counts_and_chains():
    machine = GibbsMachine.rounded(*parameters(3, 4))
    visible, hidden = np.zeros((3, 1), np.uint64), np.zeros((4, 1), np.uint64)
    assert machine.counts(visible, hidden, 10).both.shape == (3, 4)
    with pytest.raises(ValueError, match="hidden: expected 4 rows, one a unit, found 3"):
        machine.counts(visible, hidden[:3], 10)
    dense = random_dense((5, 4))
    with pytest.raises(ValueError, match="hidden: expected 4 sites, one a unit, found 3"):
        machine.state_counts(GibbsState(dense[:, :3], dense[:, :3]))
    with pytest.raises(ValueError, match="hidden: expected the 5 chains of visible, found 4"):
        machine.state_counts(GibbsState(dense[:, :3], dense[:4]))
    hidden[1, 0] = 1 << 10
    with pytest.raises(ValueError, match="hidden: expected padding bits to be zero"):
        machine.counts(visible, hidden, 10)
    with pytest.raises(ValueError, match="first_chain: expected chains below 2"):
        machine.run_bits(None, 2**64 - 1, steps=1, seed=0, first_chain=1)


def test_lists_and_float32_weights_round_half_to_even():
    weights = np.array([[0.5, 1.5], [-2.5, 3.0]]) / 2**16
    machine = GibbsMachine.rounded(weights.astype(np.float32), [0, 0], [0.0, 0.0])
    bits = np.array([[1], [2]], np.uint64)
    assert machine.hidden_fields(bits, 2).T.tolist() == [[0, 2], [-2, 3]]


@pytest.mark.parametrize("k", [12, 16, 20])
def test_a_common_power_of_two_does_not_show(k):
    parts = integers(60, 50, 12)
    start = random_dense((100, 60))
    coarse = machine_of(parts, 12).run(start, steps=3, seed=1)
    fine = machine_of([part << (k - 12) for part in parts], k).run(start, steps=3, seed=1)
    machine = GibbsMachine.rounded(*(part / 2.0**12 for part in parts), fixed_point_bits=k)
    assert machine.fixed_point_bits <= 12
    for state in (fine, machine.run(start, steps=3, seed=1)):
        assert np.array_equal(state.visible, coarse.visible)
        assert np.array_equal(state.hidden, coarse.hidden)
    zeros = GibbsMachine.rounded(np.zeros((3, 2)), np.zeros(3), np.zeros(2), fixed_point_bits=k)
    assert zeros.run(start[:, :3], steps=1, seed=1).visible.shape == (100, 3)


def test_bad_calls():
    weights, a, b = parameters(10, 4)
    start = random_dense((3, 10))
    args = {"steps": 1, "seed": 0}

    def refused(error, match, *parts, **more):
        with pytest.raises(error, match=match):
            gibbs(*(parts or (weights, a, b, start)), **{**args, **more})

    refused(ValueError, "hidden: expected 'bernoulli' or 'relu', found 'softmax'", hidden="softmax")
    refused(ValueError, "steps: expected 1 to", steps=0)
    refused(TypeError, "steps: expected a whole number, found float", steps=1.0)
    refused(ValueError, r"seed: expected 0 to 2\*\*64 - 1, found -1", seed=-1)
    for k in (0, 21):
        refused(ValueError, f"fixed_point_bits: expected 1 to 20, found {k}", fixed_point_bits=k)
    refused(ValueError, "first_step: expected 0 to", first_step=2**32)
    refused(ValueError, "first_step: expected steps below", first_step=2**32 - 1, steps=2)
    refused(ValueError, "first_chain: expected chains below", first_chain=2**32 - 1)
    refused(ValueError, r"weights: expected shape \(10, 5\)", weights, a, np.zeros(5), start)
    refused(ValueError, r"weights: expected 2 dimension\(s\)", weights[0], a, b, start)
    refused(ValueError, r"hidden_bias: expected 1 dimension\(s\)", weights, a, b[None], start)
    refused(ValueError, "visible: expected 10 sites, one a visible unit, found 9", weights, a, b, start[:, :9])
    refused(ValueError, "visible: expected only 0 and 1", weights, a, b, start + np.uint8(1))
    refused(TypeError, "visible: expected bool, int8 or uint8", weights, a, b, start.astype(float))
    refused(TypeError, "weights: expected real numbers", weights.astype(complex), a, b, start)
    for bad in (np.nan, np.inf, -np.inf, 1025.0):
        refused(ValueError, "weights: expected finite numbers of at most 1024 in", np.full((10, 4), bad), a, b, start)
    refused(ValueError, "visible_bias: expected finite numbers", weights, a * np.nan, b, start)
    refused(TypeError, "clamp: expected bool, found int64", clamp=np.zeros(10, np.int64))
    refused(ValueError, r"clamp: expected shape \(10,\) or \(3, 10\), found \(3,\)", clamp=np.zeros(3, bool))
    if "cuda" in BACKENDS:
        refused(hf.errors.MissingBackendError, "hidden='relu' runs on the CPU only", hidden="relu", backend="cuda")
    else:
        refused(hf.errors.MissingBackendError, "gibbs has .* on this machine, found 'cuda'", backend="cuda")
    with pytest.raises(TypeError, match="weights: expected an array of int32, found float64"):
        GibbsMachine(weights, a, b, fixed_point_bits=12)
    with pytest.raises(ValueError, match="weights: expected 3 columns, one a haplotype, found 4"):
        bit_product(start, np.zeros((2, 4), np.int32))
    machine = machine_of(integers(10, 4, 12), 12)
    with pytest.raises(ValueError, match="visible: expected 10 rows, one a unit, found 9"):
        machine.run_bits(np.zeros((9, 1), np.uint64), 3, steps=1, seed=0)
    with pytest.raises(ValueError, match="visible: expected 2 words per row"):
        machine.run_bits(np.zeros((10, 1), np.uint64), 65, steps=1, seed=0)
