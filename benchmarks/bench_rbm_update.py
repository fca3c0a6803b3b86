"""Updates of RBM training, 805 sites x 1,024 hidden units x 5,008 rows and chains on two threads: ours against rbms.

    HAPFORGE_PEER_PYTHONS=/path/to/an/environment/with/rbms/bin/python python benchmarks/bench_rbm_update.py

Both go on from the same machine, trained for some seconds on the embedded cohort, and from its haplotypes as chains, by
the same rule: all rows a batch, as many chains, 10 Gibbs steps, centred gradient, one rate. A call is 3 updates. The
answer is the machine after the first call, and is right where the mean log pseudo-likelihood of 500 haplotypes has
risen as much as ours, within a tenth. rbms normalises its gradient; here it does not, to take the same steps.
"""

from __future__ import annotations

import numpy as np
from bench_gibbs import trained
from peers import Candidate, compare, versions
from workloads import ooa_cohort, write_results

ROWS, SITES, HIDDEN, STEPS, UPDATES, RATE, THREADS = 5008, 805, 1024, 10, 3, 0.05, 2


def ours(data, threads, training):
    import numpy as np
    import torch

    import hapforge
    from hapforge import _backend
    from hapforge.models._boltzmann import BoltzmannLearner
    from hapforge.models._machine import host_rows
    from hapforge.models._rbm_config import RBMConfig
    from hapforge.models._workers import Workers

    _backend.set_threads(threads)
    cohort = hapforge.HaplotypeMatrix.from_dense(data["start"])
    config = RBMConfig(
        num_hidden=data["weights"].shape[1],
        training=training,
        num_chains=len(data["start"]),
        batch_size=len(data["start"]),
        gibbs_steps=data["steps"],
        site_scaling=0.0,
    )
    workers = Workers(torch.device("cpu")).__enter__()
    learner = BoltzmannLearner(cohort, config, 0, workers)
    fresh = {key: np.asarray(data[key]) for key in ("weights", "visible_bias", "hidden_bias")}
    chains = {"chains": cohort.words.view(np.int64)} if training == "pcd" else {}
    learner.restore(learner.tensors() | fresh | chains)
    rows, done = host_rows(cohort.words), 0

    def call():
        nonlocal done
        for _ in range(data["updates"]):
            done += 1
            learner.update(rows, data["steps"], data["rate"], done)
        return learner

    def machine(learner):
        return np.concatenate(
            [learner.weights.numpy().ravel(), learner.visible_bias.numpy(), learner.hidden_bias.numpy()]
        )

    return call, machine


def rbms_updates(data, threads, training):
    import numpy as np
    import torch
    from rbms.bernoulli_bernoulli.classes import BBRBM

    torch.set_num_threads(threads)
    parts = [torch.from_numpy(np.array(data[key])) for key in ("weights", "visible_bias", "hidden_bias", "start")]
    weights, a, b, start = parts
    start = start.float()
    machine = BBRBM(weight_matrix=weights, vbias=a, hbias=b)
    optimizer = torch.optim.SGD(machine.parameters(), lr=data["rate"], maximize=True)
    chains = machine.init_chains(len(start), start_v=start)
    for parameter in machine.parameters():
        parameter.grad = torch.zeros_like(parameter)

    def call():
        nonlocal chains
        with torch.no_grad():
            for _ in range(data["updates"]):
                if training == "rdm":
                    chains = machine.init_chains(len(start))
                optimizer.zero_grad(set_to_none=False)
                batch = machine.init_chains(len(start), start_v=start)
                chains = machine.sample_state(chains=chains, n_steps=data["steps"], beta=1.0)
                machine.compute_gradient(data=batch, chains=chains, centered=True, lambda_l1=0.0, lambda_l2=0.0)
                optimizer.step()
        return machine

    def parameters(machine):
        return np.concatenate([x.numpy().ravel() for x in (machine.weight_matrix, machine.vbias, machine.hbias)])

    return call, parameters


def pseudo_likelihood(parameters, rows) -> float:
    """Mean over rows of the mean over sites of log p(v_j | the other sites)."""
    size = SITES * HIDDEN
    weights, a, b = (
        parameters[:size].reshape(SITES, HIDDEN),
        parameters[size : size + SITES],
        parameters[size + SITES :],
    )
    weights, rows = weights.astype(np.float64), rows.astype(np.float64)
    field = rows @ weights + b
    total = 0.0
    for j in range(SITES):
        flipped = field + np.outer(1 - 2 * rows[:, j], weights[j])
        gain = (np.logaddexp(0, flipped) - np.logaddexp(0, field)).sum(1) + a[j] * (1 - 2 * rows[:, j])
        total -= np.logaddexp(0, gain).mean()
    return total / SITES


def workload(training: str, data: dict, rounds: int) -> dict:
    some = data["start"][np.random.default_rng(1).permutation(ROWS)[:500]]
    before = np.concatenate([data[key].ravel() for key in ("weights", "visible_bias", "hidden_bias")])
    at_start, gains = pseudo_likelihood(before, some), []

    def right(parameters) -> bool:
        gains.append(pseudo_likelihood(parameters, some) - at_start)
        print(f"  log pseudo-likelihood of a site {at_start:.5f}, after {UPDATES} updates {gains[-1]:+.5f}")
        return gains[-1] > 0 and abs(gains[-1] / gains[0] - 1) < 0.1

    candidates = {
        "hapforge": Candidate(ours, ("hapforge",), arguments={"training": training}),
        "rbms": Candidate(rbms_updates, ("rbms", "torch"), arguments={"training": training}),
    }
    name = f"{UPDATES} updates by {training}-{STEPS}, {SITES} x {HIDDEN} units, {ROWS} rows and chains"
    entry = compare(name, candidates, data, right, threads=THREADS, rounds=rounds)
    return entry | {"gain_in_log_pseudo_likelihood": dict(zip(candidates, map(float, gains), strict=False))}


def main() -> None:
    cohort = ooa_cohort(ROWS, 10_000)
    frequency = cohort.to_dense().mean(0)
    common = np.argsort(-np.minimum(frequency, 1 - frequency), kind="stable")[:SITES]
    cohort = cohort.select_sites(np.sort(common))
    model = trained(cohort, HIDDEN, 60)
    data = {
        "weights": model.weights.astype(np.float32),
        "visible_bias": model.visible_bias.astype(np.float32),
        "hidden_bias": model.hidden_bias.astype(np.float32),
        "start": cohort.to_dense(),
        "steps": STEPS,
        "updates": UPDATES,
        "rate": RATE,
    }
    entries = [workload(training, data, 3) for training in ("pcd", "rdm")]
    write_results("rbm_update", entries, versions("torch", "rbms"))


if __name__ == "__main__":
    main()
