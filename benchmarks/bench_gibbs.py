"""Gibbs steps of a trained RBM, 5008 chains on two threads: ours against torch and rbms.

    HAPFORGE_PEER_PYTHONS=/path/to/an/environment/with/rbms/bin/python python benchmarks/bench_gibbs.py

Machines are trained for a minute on the embedded cohort, so that fields and densities are those of a real one; chains
start from its haplotypes. Peers draw other random numbers: an answer is right if the root mean square difference of its
allele frequencies after the last step, to ours, is below 1.3 standard errors. Ours must be the scalar backend's bits.
rbms makes half a step more, from visible to hidden units, at the end.
"""

from __future__ import annotations

import json

import numpy as np
from peers import Candidate, backends, compare, versions
from workloads import ooa_cohort, write_results

import hapforge as hf

CHAINS, THREADS = 5008, 2


def ours(data, threads, backend):
    from hapforge import _backend
    from hapforge.kernels import GibbsMachine

    parts = (data["weights"], data["visible_bias"], data["hidden_bias"])
    machine = GibbsMachine.rounded(*parts, backend=backend, threads=threads)
    start = (data["words"], len(data["visible_bias"]))

    def call():
        return machine.run(start, steps=data["steps"], seed=1, threads=threads)

    return call, lambda state: _backend.unpack(*state.visible).mean(0)


def torch_steps(data, threads):
    """float32 products, rand < sigmoid: the fastest of the usual ways to write it."""
    import torch

    torch.set_num_threads(threads)
    weights, a, b, start = (torch.from_numpy(data[key]) for key in ("weights", "visible_bias", "hidden_bias", "start"))
    start, back = start.float(), weights.T.contiguous()

    def draw(field):
        return (torch.rand(field.shape) < torch.sigmoid_(field)).float()

    def call():
        visible = start
        for _ in range(data["steps"]):
            hidden = draw(torch.addmm(b, visible, weights))
            visible = draw(torch.addmm(a, hidden, back))
        return visible

    return call, lambda visible: visible.mean(0).numpy()


def rbms_steps(data, threads):
    import torch
    from rbms.bernoulli_bernoulli.classes import BBRBM

    torch.set_num_threads(threads)
    weights, a, b, start = (torch.from_numpy(data[key]) for key in ("weights", "visible_bias", "hidden_bias", "start"))
    machine = BBRBM(weight_matrix=weights, vbias=a, hbias=b)
    chains = machine.init_chains(len(start), start_v=start.float())

    def call():
        return machine.sample_state(dict(chains), n_steps=data["steps"])

    return call, lambda state: state["visible"].mean(0).numpy()


def trained(sites, num_hidden: int, updates: int) -> hf.models.RBM:
    settings = {"num_hidden": num_hidden, "gibbs_steps": 5, "epochs": updates, "batch_size": 500, "num_chains": 200}
    model = hf.models.RBM(**settings, learning_rate=0.3, temperature=1.0)
    rows = np.random.default_rng(0).permutation(sites.num_haplotypes)[:500]
    return model.fit(sites.select_haplotypes(np.sort(rows)))


def workload(num_sites: int, num_hidden: int, steps: int, updates: int, rounds: int) -> dict:
    """One machine, timed."""
    cohort = ooa_cohort(CHAINS, 10_000)
    if num_sites < cohort.num_sites:
        frequency = cohort.to_dense().mean(0)
        common = np.argsort(-np.minimum(frequency, 1 - frequency), kind="stable")[:num_sites]
        cohort = cohort.select_sites(np.sort(common))
    model = trained(cohort, num_hidden, updates)
    data = {
        "weights": model.weights.astype(np.float32),
        "visible_bias": model.visible_bias.astype(np.float32),
        "hidden_bias": model.hidden_bias.astype(np.float32),
        "words": cohort.words,
        "start": cohort.to_dense(),
        "steps": steps,
    }
    parts = (data["weights"], data["visible_bias"], data["hidden_bias"])
    states = [
        hf.kernels.gibbs(*parts, (cohort.words, num_sites), steps=1, seed=1, backend=backend)
        for backend in hf.kernels.available_backends("gibbs")
    ]
    for state in states:
        assert np.array_equal(state.visible[0], states[-1].visible[0])
        assert np.array_equal(state.hidden[0], states[-1].hidden[0])
    exact = hf.kernels.gibbs(*parts, data["start"], steps=steps, seed=0).visible.mean(0)
    variance = 2 * np.maximum(exact * (1 - exact), 1 / CHAINS) / CHAINS

    def right(frequency):
        error = np.sqrt(np.mean((frequency - exact) ** 2 / variance))
        print(f"  {error:.3f} standard errors")
        return error < 1.3

    candidates = {
        **{key: value for key, value in backends("gibbs", ours).items() if key != "hapforge scalar"},
        "torch, rand < sigmoid": Candidate(torch_steps, ("torch",)),
        "rbms": Candidate(rbms_steps, ("rbms", "torch")),
    }
    entry = compare(
        f"{steps} steps of {CHAINS} chains, {num_sites} x {num_hidden} units",
        candidates,
        data,
        right,
        threads=THREADS,
        rounds=rounds,
    )
    spread = {"standard deviation": data["weights"].std(), "largest": np.abs(data["weights"]).max()}
    return entry | {"weights": {key: round(float(value), 4) for key, value in spread.items()}}


def main() -> None:
    entries = [workload(805, 1024, 4, 60, 5), workload(10_000, 1000, 2, 15, 3)]
    print(json.dumps([entry["weights"] for entry in entries]))
    write_results("gibbs", entries, versions("torch", "rbms"))


if __name__ == "__main__":
    main()
