"""Gibbs sampling of a restricted Boltzmann machine, from packed bits to packed bits.

With visible units v and hidden units h in {0, 1},

    E(v, h) = -v.W.h - a.v - b.h,
    P(h_j = 1 | v) = sigmoid(b_j + (v W)_j),
    P(v_i = 1 | h) = sigmoid(a_i + (W h)_i).

Weights and biases are rounded (half to even) to multiples of 2**-k. Fields are then integers, whose sums have no
order, and a unit is drawn by comparing integers with a counter-based random word: the same bits on every backend, a
CUDA device included, on any number of threads, and however the chains or the steps are cut into calls. What is sampled
is exactly the machine with the rounded parameters, apart from the sigmoid, which is within 3e-8.

Rectified hidden units have h >= 0 and a term h^2 / 2 more in the energy: h_j given v is a Gaussian of mean
b_j + (v W)_j and variance 1, cut off at 0. They are rounded to multiples of 2**-10 (and held below 2**10), so that sums
are integers here too. Draws do not depend on backend or threads either; but they take erfc and log of the C library,
whose last digits may differ from machine to machine, and so may, very rarely, an h by 2**-10.

References
----------
Yelmen et al., "Deep convolutional and conditional neural networks for large-scale genomic data generation", PLOS
Comput. Biol. 19 (2023), Materials and Methods, "RBM". Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
1, 2, 3", SC 2011. The product of bits with a matrix by look-up is the "method of the four Russians" (Arlazarov et al.
1970).
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hapforge import _backend
from hapforge.errors import MissingBackendError
from hapforge.haplotypes import HaplotypeMatrix, Sites, check_seed
from hapforge.kernels._inputs import Packed, as_packed, device_array, handed_back, host_array, resolve, whole

FIXED_POINT_BITS = 16
_HIDDEN_KINDS = ("bernoulli", "relu")
_LARGEST_WEIGHT = 1 << 26
_LARGEST_BIAS = (1 << 31) - 1
_WORD = 1 << 32


class GibbsState(NamedTuple):
    """Where the chains are.

    Attributes
    ----------
    visible : the visible units after the last step, in the form the start was given in
    hidden : the hidden units that `visible` was drawn from, in the same form: a HaplotypeMatrix (its sites numbered
        from 1), a dense array of the same dtype, or (words uint64, num_hidden). Rectified ones are always float32
        (n, num_hidden)
    """

    visible: Any
    hidden: Any


class GibbsCounts(NamedTuple):
    """Counts over chains of a state: divided by the number of chains, <v>, <h> and <v h>.

    Attributes
    ----------
    visible : int64 (num_visible,)
    hidden : int64 (num_hidden,)
    both : int64 (num_visible, num_hidden)
    """

    visible: NDArray[np.int64]
    hidden: NDArray[np.int64]
    both: NDArray[np.int64]


def gibbs(
    weights: ArrayLike,
    visible_bias: ArrayLike,
    hidden_bias: ArrayLike,
    visible: Any,
    *,
    steps: int,
    seed: int,
    hidden: str = "bernoulli",
    clamp: ArrayLike | None = None,
    backend: str = "auto",
    fixed_point_bits: int = FIXED_POINT_BITS,
    first_step: int = 0,
    first_chain: int = 0,
    threads: int | None = None,
) -> GibbsState:
    """Run chains from `visible`: a step draws h given v, then v given h.

    Parameters
    ----------
    weights : real numbers (num_visible, num_hidden)
    visible_bias, hidden_bias : real numbers (num_visible,), (num_hidden,)
    visible : HaplotypeMatrix, (n, num_visible) array of 0 and 1 (bool, int8, uint8), or (words uint64, num_visible)
        The start, one row a chain. Without missing values. Chains on a CUDA device run there, and stay there.
    steps : int
        1 or more.
    seed : int
        0 to 2**64 - 1.
    hidden : "bernoulli" or "relu"
        The kind of the hidden units: 0 or 1, or rectified, which run on the CPU only.
    clamp : bool (num_visible,) or (n, num_visible), optional
        Visible units that keep their value, in all chains or in each its own.
    backend : str
        As in `nearest_neighbours`. It never changes the result.
    fixed_point_bits : int
        k, 1 to 20: parameters act as multiples of 2**-k. It changes the result within that rounding. Those that are
        multiples of a coarser unit, as in a trained `hapforge.models.RBM`, are exact and run faster.
    first_step, first_chain : int
        The number of the first step and of the chain in row 0, by which random words are chosen. Steps s to t of
        chains c to d, continued or drawn in parts, are those of one call.
    threads : int, optional
        As in `nearest_neighbours`. It never changes the result.

    Returns
    -------
    GibbsState

    Raises
    ------
    ValueError
        Shapes that do not fit; parameters that are not finite or too large (|weights| above 2**(26 - k), or a row or
        column of them whose sum, with the bias, is not below 2**(31 - k); with binary hidden units k counts after a
        power of two that all parameters share is taken out); an argument out of its range; bad values in `visible`.
    TypeError
        An input of another type or dtype.
    MissingBackendError
        `backend` is not available here.
    """
    start = as_packed(visible, "visible", threads, device=True)
    if hidden == "relu" and not start.on_device:  # has no CUDA kernel that could be preferred
        backend = _backend.resolve("gibbs", backend)
    machine = GibbsMachine.rounded(
        weights,
        visible_bias,
        hidden_bias,
        hidden=hidden,
        fixed_point_bits=fixed_point_bits,
        backend=resolve("gibbs", backend, start),
        threads=threads,
        like=start.words if start.on_device else None,
    )
    return machine._run_from(start, visible, steps, seed, clamp, first_step, first_chain, threads)


class GibbsMachine:
    """A machine whose parameters have been rounded and made ready, for more than one call.

    Parameters
    ----------
    weights : int32 (num_visible, num_hidden)
        In units of 2**-fixed_point_bits, at most 2**26 in magnitude ...
    visible_bias, hidden_bias : int32 (num_visible,), (num_hidden,)
        In the same units. The magnitudes of a bias and of its row or column of weights sum to less than 2**31.
        Parameters may be on a CUDA device, which is then the machine's.
    fixed_point_bits : int
        k, 1 to 20.
    hidden, backend, threads
        As in `gibbs`; `threads` is for the making ready.
    like : array on a device, optional
        With backend "cuda" and parameters on the host, an array on the device where chains will be.

    Raises
    ------
    ValueError
        Shapes that do not fit, or values out of their range.
    TypeError
        Another dtype.
    MissingBackendError
        `backend` is not available here.
    """

    def __init__(
        self,
        weights: NDArray[np.int32],
        visible_bias: NDArray[np.int32],
        hidden_bias: NDArray[np.int32],
        *,
        fixed_point_bits: int,
        hidden: str = "bernoulli",
        backend: str = "auto",
        threads: int | None = None,
        like: Any = None,
    ) -> None:
        if hidden not in _HIDDEN_KINDS:
            raise ValueError(f"hidden: expected 'bernoulli' or 'relu', found {hidden!r}")
        given = weights  # its transpose may lie in memory as it is needed
        weights = _int32(weights, "weights", 2)
        visible_bias = _int32(visible_bias, "visible_bias", 1)
        hidden_bias = _int32(hidden_bias, "hidden_bias", 1)
        on_device = not all(isinstance(part, np.ndarray) for part in (weights, visible_bias, hidden_bias))
        if weights.shape != (len(visible_bias), len(hidden_bias)):
            raise ValueError(
                f"weights: expected shape {(len(visible_bias), len(hidden_bias))}, one row a visible bias and one "
                f"column a hidden bias, found {weights.shape}"
            )
        self.num_visible, self.num_hidden = weights.shape
        self.hidden = hidden
        self.fixed_point_bits = whole(fixed_point_bits, "fixed_point_bits", 1, 20)
        backend, budget = _backend.resolve("gibbs", backend, prefer_cuda=on_device), _backend.get_threads(threads)
        self._on_cuda = backend == "cuda"
        if on_device and not self._on_cuda:
            raise MissingBackendError(f"backend: expected 'cuda' for parameters on a device, found {backend!r}")
        if not self._on_cuda:
            layer = _backend.core.GibbsLayer
            self._to_hidden = layer(np.ascontiguousarray(given.T), hidden_bias, backend, budget)
            self._to_visible = layer(weights, visible_bias, backend, budget)
            return
        if hidden == "relu":
            raise MissingBackendError("backend: hidden='relu' runs on the CPU only, found 'cuda'")
        layer = _backend.cuda().GibbsLayer
        where = None if like is None else device_array(like, "like")
        self._to_hidden = layer(weights, hidden_bias, True, where)
        self._to_visible = layer(weights, visible_bias, False, where)

    @classmethod
    def rounded(
        cls,
        weights: ArrayLike,
        visible_bias: ArrayLike,
        hidden_bias: ArrayLike,
        *,
        fixed_point_bits: int = FIXED_POINT_BITS,
        hidden: str = "bernoulli",
        backend: str = "auto",
        threads: int | None = None,
        like: Any = None,
    ) -> GibbsMachine:
        """The machine of real parameters, rounded half to even; arguments and errors as in `gibbs`."""
        bits = whole(fixed_point_bits, "fixed_point_bits", 1, 20)
        parts = [
            _rounded(value, name, bits)
            for name, value in (("weights", weights), ("visible_bias", visible_bias), ("hidden_bias", hidden_bias))
        ]
        if hidden == "bernoulli":  # a common power of two is taken out: the draws are the same, the sums shorter
            spare = min(bits - 1, *map(_trailing_zeros, parts))
            parts, bits = [part >> spare for part in parts], bits - spare
        weights, visible_bias, hidden_bias = (part.astype(np.int32) for part in parts)
        return cls(
            weights,
            visible_bias,
            hidden_bias,
            fixed_point_bits=bits,
            hidden=hidden,
            backend=backend,
            threads=threads,
            like=like,
        )

    def run(
        self,
        visible: Any,
        *,
        steps: int,
        seed: int,
        clamp: ArrayLike | None = None,
        first_step: int = 0,
        first_chain: int = 0,
        threads: int | None = None,
    ) -> GibbsState:
        """As `gibbs`."""
        start = as_packed(visible, "visible", threads, device=self._on_cuda)
        return self._run_from(start, visible, steps, seed, clamp, first_step, first_chain, threads)

    def _run_from(
        self,
        start: Packed,
        visible: Any,
        steps: int,
        seed: int,
        clamp: ArrayLike | None,
        first_step: int,
        first_chain: int,
        threads: int | None,
    ) -> GibbsState:
        """`run`, from `visible` packed."""
        steps = whole(steps, "steps", 1, _WORD - 1)
        if start.num_sites != self.num_visible:
            raise ValueError(f"visible: expected {self.num_visible} sites, one a visible unit, found {start.num_sites}")
        num_chains, budget = len(start.words), _backend.get_threads(threads)
        held = None if clamp is None else self._held(clamp, num_chains, budget)
        words = start.words
        if not self._on_cuda:
            words = _backend.transpose(words, start.num_sites, budget)
        last_visible, last_hidden = self._run(words, num_chains, steps, seed, held, first_step, first_chain, budget)
        if not self._on_cuda:
            last_visible = _backend.transpose(last_visible, num_chains, budget)
            if self.hidden == "bernoulli":
                last_hidden = _backend.transpose(last_hidden, num_chains, budget)
        if self.hidden == "bernoulli":
            last_hidden = _in_the_form_of(visible, last_hidden, self.num_hidden, budget)
        sites = getattr(visible, "sites", None)
        return GibbsState(_in_the_form_of(visible, last_visible, self.num_visible, budget, sites), last_hidden)

    def run_bits(
        self,
        visible: NDArray[np.uint64] | None,
        num_chains: int,
        *,
        steps: int,
        seed: int,
        clamp: ArrayLike | None = None,
        first_step: int = 0,
        first_chain: int = 0,
        threads: int | None = None,
    ) -> tuple[NDArray[np.uint64], NDArray[Any]]:
        """Chains in the form they are run in: a row of bits a unit, chain c at bit c % 64 of word c // 64.

        Parameters
        ----------
        visible : uint64 (num_visible, ceil(num_chains / 64)), C-contiguous, padding bits zero
            None starts at a draw in which every unit is 1 with probability 1/2.
        steps : int
            0 or more.
        seed, clamp, first_step, first_chain, threads : as in `gibbs`

        Returns
        -------
        uint64 (num_visible, ceil(num_chains / 64)), uint64 (num_hidden, ceil(num_chains / 64))
            Visible and hidden units, padding bits zero; no step leaves the hidden ones zero. Rectified hidden units are
            float32 (num_chains, num_hidden).
        """
        budget = _backend.get_threads(threads)
        held = None if clamp is None else self._held(clamp, num_chains, budget)
        args = (num_chains, steps, seed, held, first_step, first_chain, budget)
        if not self._on_cuda:
            return self._run(visible, *args)
        if visible is not None:
            self._check_rows("visible", visible, self.num_visible)
            visible = _backend.transpose(visible, num_chains, budget)
        last = self._run(visible, *args)
        num_units = (self.num_visible, self.num_hidden)
        last_visible, last_hidden = map(_backend.transpose, last, num_units, (budget, budget))
        return last_visible, last_hidden

    def counts(
        self, visible: NDArray[np.uint64], hidden: NDArray[np.uint64], num_chains: int, *, threads: int | None = None
    ) -> GibbsCounts:
        """Counts over chains of a state as `run_bits` gives it; exact. What training needs of <v>, <h> and <v h>.

        Parameters
        ----------
        visible, hidden : uint64 (num_units, ceil(num_chains / 64)), C-contiguous, padding bits zero
            Hidden units are binary.
        num_chains : int
        threads : as in `gibbs`

        Raises
        ------
        ValueError
            Words that do not fit the machine or the number of chains, or whose padding bits are set.
        TypeError
            Another dtype.
        """
        budget = _backend.get_threads(threads)
        for bits, name, num_units in ((visible, "visible", self.num_visible), (hidden, "hidden", self.num_hidden)):
            self._check_rows(name, bits, num_units)
            if num_chains % 64 and (bits[:, -1] >> np.uint64(num_chains % 64)).any():
                raise ValueError(f"{name}: expected padding bits to be zero, found some set")
        if self._on_cuda:
            args = (visible, hidden, self.num_visible, self.num_hidden, num_chains, False)
            return GibbsCounts(*_backend.cuda().gibbs_counts(*args))
        both = _backend.core.gibbs_counts(visible, hidden, num_chains, _backend.resolve("hamming"), budget)
        ones_visible, ones_hidden = (np.bitwise_count(bits).sum(1, dtype=np.int64) for bits in (visible, hidden))
        return GibbsCounts(ones_visible, ones_hidden, both)

    def state_counts(self, state: GibbsState, *, threads: int | None = None) -> GibbsCounts:
        """Counts over chains of a state as `run` gives it; exact. On the device where the state is there.

        Raises
        ------
        ValueError
            Numbers of units or chains that do not fit the machine or each other; as for `visible` in `gibbs`.
        TypeError
            As there; rectified hidden units.
        """
        packed = []
        for units, name, num_units in zip(state, GibbsState._fields, (self.num_visible, self.num_hidden), strict=True):
            packed.append(as_packed(units, name, threads, device=self._on_cuda))
            if packed[-1].num_sites != num_units:
                raise ValueError(f"{name}: expected {num_units} sites, one a unit, found {packed[-1].num_sites}")
        visible, hidden = packed
        num_chains, budget = len(visible.words), _backend.get_threads(threads)
        if len(hidden.words) != num_chains:
            raise ValueError(f"hidden: expected the {num_chains} chains of visible, found {len(hidden.words)}")
        if self._on_cuda:
            args = (visible.words, hidden.words, self.num_visible, self.num_hidden, num_chains, True)
            return GibbsCounts(*handed_back(_backend.cuda().gibbs_counts(*args), *state))
        ones_visible, ones_hidden = (_backend.transpose(*one, budget) for one in packed)
        return self.counts(ones_visible, ones_hidden, num_chains, threads=threads)

    def start(
        self, num_chains: int, *, seed: int, first_chain: int = 0, like: Any = None, threads: int | None = None
    ) -> tuple[Any, int]:
        """(words uint64 (num_chains, words_per_row), num_visible): visible units that are 1 with probability 1/2.

        `run_bits` starts there where it is given no start. With `like`, an array on a device, the words are there, in
        its library.
        """
        budget, on_host = _backend.get_threads(threads), like is None or isinstance(like, np.ndarray)
        where = None if on_host else device_array(like, "like")
        words, _ = self._run(None, num_chains, 0, seed, None, 0, first_chain, budget, where)
        if not self._on_cuda:
            words = _backend.transpose(words, num_chains, budget)
        return (words if on_host else handed_back(words, like)), self.num_visible

    def hidden_fields(self, visible: Any, num_chains: int | None = None, *, threads: int | None = None) -> Any:
        """b + v W, int32 (num_hidden, num_chains) in units of 2**-k; exact.

        `visible` are chains in the form of `run_bits`; or, without `num_chains`, as `gibbs` takes them, and on a device
        where they are there.
        """
        return self._fields(self._to_hidden, visible, self.num_visible, "visible", num_chains, threads)

    def visible_fields(self, hidden: Any, num_chains: int | None = None, *, threads: int | None = None) -> Any:
        """a + W h of binary h, int32 (num_visible, num_chains) in units of 2**-k; exact; as `hidden_fields`."""
        return self._fields(self._to_visible, hidden, self.num_hidden, "hidden", num_chains, threads)

    def _fields(
        self, layer: Any, units: Any, num_units: int, name: str, num_chains: int | None, threads: int | None
    ) -> Any:
        budget = _backend.get_threads(threads)
        if num_chains is not None:
            return layer.fields(units, num_chains, False if self._on_cuda else budget)
        packed = as_packed(units, name, threads, device=self._on_cuda)
        if packed.num_sites != num_units:
            raise ValueError(f"{name}: expected {num_units} sites, one a unit, found {packed.num_sites}")
        if self._on_cuda:
            return handed_back(layer.fields(packed.words, len(packed.words), True), units)
        return layer.fields(_backend.transpose(*packed, budget), len(packed.words), budget)

    def _run(
        self,
        visible: NDArray[np.uint64] | None,
        num_chains: int,
        steps: int,
        seed: int,
        held: NDArray[np.uint64] | None,
        first_step: int,
        first_chain: int,
        budget: int,
        like: Any = None,
    ) -> tuple[NDArray[np.uint64], NDArray[Any]]:
        """Visible and hidden units, a row a unit, by CUDA a row a chain; so are the start and the mask."""
        first_step = whole(first_step, "first_step", 0, _WORD - 1)
        first_chain = whole(first_chain, "first_chain", 0, _WORD - 1)
        layers = (self._to_hidden, self._to_visible)
        steps = whole(steps, "steps", 0, _WORD - 1)
        chains = (visible, num_chains, held, self.fixed_point_bits, check_seed(seed), first_chain, first_step, steps)
        if self._on_cuda:
            return _backend.cuda().gibbs_run(*layers, *chains, like)
        given: list[Any] = [*layers, self.hidden == "relu", *chains, budget]
        return _backend.core.gibbs_run(*given)

    def _held(self, clamp: ArrayLike, num_chains: int, budget: int) -> NDArray[np.uint64]:
        """The mask as bits, in the form that `_run` takes."""
        mask = np.asarray(clamp)
        if mask.dtype != np.bool_:
            raise TypeError(f"clamp: expected bool, found {mask.dtype}")
        if mask.shape not in ((self.num_visible,), (num_chains, self.num_visible)):
            raise ValueError(
                f"clamp: expected shape {(self.num_visible,)} or {(num_chains, self.num_visible)}, found {mask.shape}"
            )
        mask = np.broadcast_to(mask, (num_chains, self.num_visible))
        held = _backend.pack(mask.view(np.uint8), budget)
        return held if self._on_cuda else _backend.transpose(held, self.num_visible, budget)

    @staticmethod
    def _check_rows(name: str, bits: NDArray[np.uint64], num_units: int) -> None:
        if len(bits) != num_units:
            raise ValueError(f"{name}: expected {num_units} rows, one a unit, found {len(bits)}")


def bit_product(
    m: Any, weights: NDArray[np.int32], *, backend: str = "auto", threads: int | None = None
) -> NDArray[np.int32]:
    """Sums of integer weights over the haplotypes that carry ALT at a site: weights times bits, exact.

    Parameters
    ----------
    m : HaplotypeMatrix, (n, num_sites) array of 0 and 1 (bool, int8, uint8), or (words uint64, num_sites)
        Without missing values.
    weights : int32 (num_sums, n)
        At most 2**26 in magnitude; every row's magnitudes sum to less than 2**31.
    backend, threads
        As in `nearest_neighbours`. They never change the result.

    Returns
    -------
    int32 (num_sums, num_sites)

    Raises
    ------
    ValueError
        A shape that does not fit, weights out of their range, bad values in the input.
    TypeError
        An input of another type or dtype.
    MissingBackendError
        `backend` is not available here.
    """
    packed = as_packed(m, "m", threads, device=True)
    weights = _int32(weights, "weights", 2)
    if weights.shape[1] != len(packed.words):
        raise ValueError(f"weights: expected {len(packed.words)} columns, one a haplotype, found {weights.shape[1]}")
    backend, budget = resolve("gibbs", backend, packed), _backend.get_threads(threads)
    zeros = np.zeros(len(weights), np.int32)
    if backend == "cuda":
        layer = _backend.cuda().GibbsLayer(weights, zeros, False, packed.words if packed.on_device else None)
        return handed_back(layer.fields(*packed, False), m)
    return _backend.core.GibbsLayer(weights, zeros, backend, budget).fields(*packed, budget)


def _int32(array: Any, name: str, ndim: int) -> Any:
    """The array, C-contiguous; a `DeviceArray` where it is on a CUDA device."""
    on_device = None if isinstance(array, np.ndarray) else device_array(array, name)
    found = array if on_device is None else on_device
    if getattr(found, "dtype", None) != np.int32:
        raise TypeError(f"{name}: expected an array of int32, found {getattr(array, 'dtype', type(array).__name__)}")
    if len(found.shape) != ndim:
        raise ValueError(f"{name}: expected {ndim} dimension(s), found shape {found.shape}")
    if on_device is None:
        return np.ascontiguousarray(array)
    if not on_device.c_contiguous:
        raise ValueError(f"{name}: expected C-contiguous memory on a device")
    return on_device


def _rounded(value: ArrayLike, name: str, bits: int) -> NDArray[np.int64]:
    """In units of 2**-bits, half to even."""
    real = np.asarray(value)
    if real.dtype.kind not in "fiu":
        raise TypeError(f"{name}: expected real numbers, found {real.dtype}")
    with np.errstate(over="ignore"):  # an infinity is refused below
        scaled = np.rint(np.ldexp(real.astype(np.float64), bits))
    largest = _LARGEST_WEIGHT if name == "weights" else _LARGEST_BIAS
    if not np.all(np.abs(scaled) <= largest):
        raise ValueError(
            f"{name}: expected finite numbers of at most {largest / (1 << bits):.6g} in magnitude at "
            f"fixed_point_bits={bits}, found {np.abs(real).max()}"
        )
    return scaled.astype(np.int64)


def _trailing_zeros(numbers: NDArray[np.int64]) -> int:
    """The power of two that divides them all; 63 where all are 0."""
    bits = int(np.bitwise_or.reduce(numbers, axis=None))
    return (bits & -bits).bit_length() - 1 if bits else 63


def _in_the_form_of(
    visible: Any, words: NDArray[np.uint64], num_units: int, budget: int, sites: Sites | None = None
) -> Any:
    """Units, packed, a row a chain, in the form that `visible` has."""
    if isinstance(visible, HaplotypeMatrix):
        return HaplotypeMatrix(words, sites or Sites(num_sites=num_units))
    on_host = isinstance(words, np.ndarray)
    if isinstance(visible, tuple):
        return (_like(visible[0], words) if on_host else handed_back(words, visible)), num_units
    if on_host:
        return _like(visible, _backend.unpack(words, num_units, budget))
    dense = handed_back(_backend.cuda().unpack(words, num_units), visible)
    return dense if dense.dtype == visible.dtype else dense.view(visible.dtype)


def _like(given: Any, array: NDArray[Any]) -> Any:
    """The array with the dtype of `given`; a torch tensor where that is one."""
    array = array.astype(host_array(given, "visible").dtype, copy=False)
    if type(given).__module__.partition(".")[0] == "torch":
        return sys.modules["torch"].from_numpy(array)
    return array
