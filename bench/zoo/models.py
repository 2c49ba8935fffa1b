"""The zoo's eager models, with random weights and small inputs."""

# An adaptive pool would enlarge smaller images again, and ONNX has no operator for that.
WHOLE = ("alexnet", "vgg")


def build(name: str):
    """The eager model and its input."""
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    torch.manual_seed(0)
    package, model_name = name.split(":")
    if package == "torchvision":
        import torchvision

        options = {"init_weights": False} if model_name in ("googlenet", "inception_v3") else {}
        model = torchvision.models.get_model(model_name, weights=None, **options)
        side = 299 if model_name == "inception_v3" else 224 if "vit" in model_name or any(part in model_name for part in WHOLE) else 96
    else:
        import timm

        model = timm.create_model(model_name, pretrained=False)
        config = model.pretrained_cfg
        whole = config.get("fixed_input_size") or any(part in model_name for part in WHOLE) or not runs(model.eval(), 96)
        side = config["input_size"][-1] if whole else 96
    randomise(model)
    return model.eval(), torch.randn(1, 3, side, side), library


def runs(model, side: int) -> bool:
    """Whether the model takes images of this size; many take only one size, and each says so in its own way."""
    import torch

    try:
        with torch.no_grad():
            model(torch.zeros(1, 3, side, side))
    except (AssertionError, RuntimeError, ValueError):
        return False
    return True


def randomise(model) -> None:
    """Replaces the constants that statistics, scales and biases begin with, and enlarges tiny weights.

    Many branches end in a scale of 0 or 1e-6, which would hide everything in them; a head with weights of 1e-5 would do the same.
    """
    import torch

    for module in model.modules():
        if getattr(module, "running_var", None) is not None:
            torch.nn.init.normal_(module.running_mean, 0.0, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    for name, parameter in model.named_parameters():
        constant = bool((parameter == parameter.flatten()[0]).all())
        if not constant and parameter.std() > 1e-3:
            continue
        if "bias" in name:
            torch.nn.init.normal_(parameter, 0.0, 0.1)
        elif parameter.numel() == max(parameter.shape, default=1):
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
        else:
            torch.nn.init.normal_(parameter, 0.0, 0.02)
