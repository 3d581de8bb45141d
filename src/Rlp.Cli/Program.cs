using TorchSharp;

Console.WriteLine(torch.arange(5).sum().item<long>());
