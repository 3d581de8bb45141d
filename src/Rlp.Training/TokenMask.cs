using static TorchSharp.torch;

namespace Rlp.Training;

/// <summary>Which tokens the rows of a batch allow: <see cref="Masks"/> [k, V] of zeros and minus infinities, <see cref="Rows"/> [m] int64 which of them.</summary>
internal sealed record TokenMask(Tensor Masks, Tensor Rows);
