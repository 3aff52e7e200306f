"""A memory plan in words."""

from __future__ import annotations

from .memory import MemoryPlan


def lines(name: str, plan: MemoryPlan) -> list[str]:
    """For a terminal."""
    kept = "each network goes back to the CPU after its turn" if plan.offload else "all networks stay on the card"
    return [
        f"{name}: patches of {plan.patch} px, overlap {plan.overlap}, {plan.frames} frames, {_dtype(plan)}; {kept}",
        "  parameters  " + ", ".join(f"{part} {_gib(size)}" for part, size in plan.parameters_mib.items()),
        "  beside them " + ", ".join(f"{stage} {_gib(size)}" for stage, size in plan.working_mib.items()),
        f"  peak        {_gib(plan.peak_mib)} of {_gib(plan.budget_mib)}: computed from configurations, not measured",
    ]


def _gib(mib: float) -> str:
    return f"{mib / 1024:.2f} GiB"


def _dtype(plan: MemoryPlan) -> str:
    return str(plan.dtype).removeprefix("torch.")
