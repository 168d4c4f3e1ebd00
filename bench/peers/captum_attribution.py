"""Explains a zoo model's output by Captum's DeepLift on the CPU: each sequence beside each of its own backgrounds,
whose mean is what its DeepLiftShap gives for backgrounds that all sequences share. The network is module_zoo.py's with
batch norm folded. How it is called: serve_attribution.py."""
from keep_memory import keep_memory

keep_memory()

import warnings

import captum
import torch
from captum.attr import DeepLift
from captum.attr._core import deep_lift

import module_zoo
import serve_attribution
from torch_predict import fold


def main():
    args = serve_attribution.arguments(__doc__, ("deepshap",))
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    warnings.filterwarnings("ignore")  # that it sets hooks
    network = module_zoo.build(fold(serve_attribution.network_of(args)).requires_grad_(False))
    deep_lift.SUPPORTED_NON_LINEAR.update({kind: deep_lift.nonlinear for kind in module_zoo.others(network)})
    method = DeepLift(network, multiply_by_inputs=False)

    def explain(x, backgrounds, batch):
        """batch counts rows: a sequence beside a background is two."""
        pairs = x[:, None].expand_as(backgrounds).flatten(0, 1).transpose(1, 2)
        references = backgrounds.flatten(0, 1).transpose(1, 2)
        rows = max(1, batch // 2)
        m = torch.cat([method.attribute(a, b, target=serve_attribution.class_of(args)).detach()
                       for a, b in zip(pairs.split(rows), references.split(rows))])
        return serve_attribution.summarise(m.transpose(1, 2).reshape(backgrounds.shape), x, backgrounds)

    serve_attribution.run(args, "captum", captum.__version__, explain)


if __name__ == "__main__":
    main()
