"""Predicts with a zoo model in PyTorch on the CPU: inference mode, channels_last, batch norm folded into the weights before
it, as PyTorch's own advice goes. How it is called: serve_predict.py."""
from keep_memory import keep_memory

keep_memory()

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

import serve_predict
import torch_zoo


def fold(network):
    for layer in network.layers:
        if isinstance(layer, torch_zoo.ConvBlock) and isinstance(layer.norm, nn.BatchNorm2d):
            layer.conv, layer.norm = fuse_conv_bn_eval(layer.conv, layer.norm), nn.Identity()
        elif isinstance(layer, torch_zoo.DenseBlock):
            layer.dense, layer.norm = fuse_linear_bn_eval(layer.dense, layer.norm), nn.Identity()
    return network.to(memory_format=torch.channels_last)


def main():
    args = serve_predict.arguments(__doc__)
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    network = fold(torch_zoo.build(args.model, args.activation).eval())

    @torch.inference_mode()
    def predict(x, batch):
        return torch.cat([network(part) for part in x.split(batch)]).numpy()

    x = torch.from_numpy(serve_predict.sequences(args))
    serve_predict.run(args, "pytorch", torch.__version__, predict, x)


if __name__ == "__main__":
    main()
