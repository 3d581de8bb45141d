namespace Rlp.Models.Kernels;

/// <summary>
/// libtorch's own single-precision matrix product, on raw memory: without a tensor, a scope and an allocation around each of the many small ones.
/// Matrices are row-major; strides are elements between rows. On one of <see cref="NativeThreads"/> a product runs on that thread alone.
/// </summary>
internal static unsafe class Blas
{
    private static readonly delegate* unmanaged<byte*, byte*, int*, int*, int*, float*, float*, int*, float*, int*, float*, float*, int*, void> Sgemm =
        (delegate* unmanaged<byte*, byte*, int*, int*, int*, float*, float*, int*, float*, int*, float*, float*, int*, void>)NativeSymbols.Find("sgemm_");

    public static bool Available => Sgemm is not null;

    /// <summary>C = alpha A B^T + beta C with A [m, k], B [n, k], C [m, n].</summary>
    public static void TimesTransposed(
        int m, int n, int k, float alpha, float* a, long aStride, float* b, long bStride, float beta, float* c, long cStride) =>
        Multiply((byte)'T', (byte)'N', m, n, k, alpha, a, aStride, b, bStride, beta, c, cStride);

    /// <summary>C = alpha A B + beta C with A [m, k], B [k, n], C [m, n].</summary>
    public static void Times(
        int m, int n, int k, float alpha, float* a, long aStride, float* b, long bStride, float beta, float* c, long cStride) =>
        Multiply((byte)'N', (byte)'N', m, n, k, alpha, a, aStride, b, bStride, beta, c, cStride);

    /// <summary>C = alpha A^T B + beta C with A [k, m], B [k, n], C [m, n].</summary>
    public static void TransposedTimes(
        int m, int n, int k, float alpha, float* a, long aStride, float* b, long bStride, float beta, float* c, long cStride) =>
        Multiply((byte)'N', (byte)'T', m, n, k, alpha, a, aStride, b, bStride, beta, c, cStride);

    /// <summary>sgemm is column-major: it computes C^T = op(B)^T op(A)^T.</summary>
    private static void Multiply(
        byte transB, byte transA, int m, int n, int k, float alpha, float* a, long aStride, float* b, long bStride, float beta, float* c, long cStride)
    {
        if (m == 0 || n == 0) return;
        int lda = checked((int)aStride), ldb = checked((int)bStride), ldc = checked((int)cStride);
        Sgemm(&transB, &transA, &n, &m, &k, &alpha, b, &ldb, a, &lda, &beta, c, &ldc);
    }
}
