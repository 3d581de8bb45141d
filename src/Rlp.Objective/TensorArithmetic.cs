using TorchSharp;
using static TorchSharp.torch;

namespace Rlp.Objective;

/// <summary>Operations of tensors with numbers, whose native scalars outlive the call. Numbers and gradients are those of the operators.</summary>
/// <remarks>
/// TorchSharp 0.107 hands libtorch the address inside a <see cref="Scalar"/> while nothing keeps the object alive, and the object's finalizer frees
/// that memory. Wherever a number turns into a scalar unseen, a garbage collection at the wrong moment makes libtorch read freed memory: a failed
/// assertion in Scalar.h, or silently another number. That is so in <c>x * 0.5</c> and <c>x.clamp(0, 1)</c>, and inside TorchSharp in <c>x + y</c> (y
/// times 1), <c>square()</c>, <c>arange(n)</c> and <c>softplus()</c>. Here a scalar is disposed after the call, or never. ScalarLifetimeTests holds all
/// projects to these forms; subtraction, product and quotient of two tensors take no scalar and stay operators.
/// </remarks>
public static class TensorArithmetic
{
    private static readonly Scalar Zero = 0.ToScalar(), One = 1.ToScalar(), Two = 2.ToScalar();

    extension(Tensor)
    {
        /// <summary>0, 1, ..., count - 1: [count].</summary>
        public static Tensor Range(long count, ScalarType dtype, Device? device = null)
        {
            using var end = count.ToScalar();
            return arange(Zero, end, One, dtype, device);
        }
    }

    extension(Tensor x)
    {
        public Tensor Plus(Tensor other) => x.add(other, One);

        public Tensor Plus(double number)
        {
            using var scalar = number.ToScalar();
            return x.add(scalar, One);
        }

        public Tensor PlusInPlace(Tensor other) => x.add_(other, One);

        /// <summary>x + factor * other.</summary>
        public Tensor PlusInPlace(Tensor other, double factor)
        {
            using var scalar = factor.ToScalar();
            return x.add_(other, scalar);
        }

        public Tensor PlusInPlace(double number)
        {
            using var scalar = number.ToScalar();
            return x.add_(scalar, One);
        }

        /// <summary>x + a * b, elementwise.</summary>
        public Tensor PlusProduct(Tensor a, Tensor b) => x.addcmul(a, b, One);

        /// <summary>x + a * b, elementwise.</summary>
        public Tensor PlusProductInPlace(Tensor a, Tensor b) => x.addcmul_(a, b, One);

        /// <summary>x + factor * a * b, elementwise.</summary>
        public Tensor PlusProductInPlace(Tensor a, Tensor b, double factor)
        {
            using var scalar = factor.ToScalar();
            return x.addcmul_(a, b, scalar);
        }

        /// <summary>x + factor * a / b, elementwise.</summary>
        public Tensor PlusQuotientInPlace(Tensor a, Tensor b, double factor)
        {
            using var scalar = factor.ToScalar();
            return x.addcdiv_(a, b, scalar);
        }

        public Tensor Minus(double number)
        {
            using var scalar = number.ToScalar();
            return x.sub(scalar);
        }

        public Tensor Times(double number)
        {
            using var scalar = number.ToScalar();
            return x.mul(scalar);
        }

        public Tensor TimesInPlace(double number)
        {
            using var scalar = number.ToScalar();
            return x.mul_(scalar);
        }

        public Tensor Over(double number)
        {
            using var scalar = number.ToScalar();
            return x.div(scalar);
        }

        public Tensor OverInPlace(double number)
        {
            using var scalar = number.ToScalar();
            return x.div_(scalar);
        }

        public Tensor Squared() => x.pow(Two);

        /// <summary>log(1 + e^x) as -log sigmoid(-x), which no large x overflows: above 20 it is x to the last bit of a float32.</summary>
        public Tensor Softplus() => x.neg().log_sigmoid().neg();

        public Tensor Clamped(double least, double most)
        {
            using Scalar low = least.ToScalar(), high = most.ToScalar();
            return x.clamp(low, high);
        }

        public Tensor AtLeastInPlace(double least)
        {
            using var scalar = least.ToScalar();
            return x.clamp_min_(scalar);
        }

        public Tensor LessThan(double number)
        {
            using var scalar = number.ToScalar();
            return x.lt(scalar);
        }

        public Tensor GreaterThan(double number)
        {
            using var scalar = number.ToScalar();
            return x.gt(scalar);
        }

        public Tensor EqualTo(long number)
        {
            using var scalar = number.ToScalar();
            return x.eq(scalar);
        }

        public Tensor FilledInPlace(long number)
        {
            using var scalar = number.ToScalar();
            return x.fill_(scalar);
        }

        public Tensor FilledInPlace(bool value)
        {
            using var scalar = value.ToScalar();
            return x.fill_(scalar);
        }

        /// <summary>The number where the mask is true.</summary>
        public Tensor MaskFilled(Tensor mask, long number)
        {
            using var scalar = number.ToScalar();
            return x.masked_fill(mask, scalar);
        }

        /// <summary>The number where the mask is true.</summary>
        public Tensor MaskFilled(Tensor mask, double number)
        {
            using var scalar = number.ToScalar();
            return x.masked_fill(mask, scalar);
        }

        /// <summary>The number where the mask is true.</summary>
        public Tensor MaskFilledInPlace(Tensor mask, double number)
        {
            using var scalar = number.ToScalar();
            return x.masked_fill_(mask, scalar);
        }
    }
}
