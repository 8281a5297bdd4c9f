"""From a trained model to ONNX: converted, quantised where asked, and checked against torch."""
