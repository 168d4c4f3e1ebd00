"""Explains a zoo model's output by tangermeme's deep_lift_shap on the CPU, with the backgrounds given. The network is
module_zoo.py's with batch norm folded. How it is called: serve_attribution.py."""
from keep_memory import keep_memory

keep_memory()

import warnings

import tangermeme
import torch
from tangermeme import deep_lift_shap

import module_zoo
import serve_attribution
from torch_predict import fold


def main():
    args = serve_attribution.arguments(__doc__, ("deepshap",))
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    warnings.filterwarnings("ignore")  # of sums that float32 leaves 0.001 off
    network = module_zoo.build(fold(serve_attribution.network_of(args)).requires_grad_(False))
    rules = {kind: deep_lift_shap._nonlinear for kind in module_zoo.others(network)}

    def explain(x, backgrounds, batch):
        """batch counts rows: a sequence beside a background is two."""
        hypothetical = deep_lift_shap.deep_lift_shap(
            network, x.transpose(1, 2), references=backgrounds.transpose(2, 3), device="cpu", hypothetical=True,
            target=serve_attribution.class_of(args), batch_size=max(1, batch // 2), additional_nonlinear_ops=rules)
        hypothetical = hypothetical.transpose(1, 2)
        return hypothetical * x, hypothetical  # what it calls so; not what attribution.h does

    serve_attribution.run(args, "tangermeme", tangermeme.__version__, explain)


if __name__ == "__main__":
    main()
