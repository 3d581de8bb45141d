using static TorchSharp.torch;

namespace Rlp.Training;

/// <summary>Which tokens the rows of a batch allow.</summary>
/// <param name="Masks">[k, V] float32 of zeros and minus infinities.</param>
/// <param name="Rows">[m] int64: the mask of each row.</param>
internal sealed record TokenMask(Tensor Masks, Tensor Rows);
