using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Mono.Cecil;
using Mono.Cecil.Cil;

namespace Rlp.Architecture.Tests;

/// <summary>
/// TorchSharp 0.107 lets the finalizer free a Scalar under the native call that reads it. So no number becomes one outside the one file that keeps it
/// alive, neither in the sources nor, on their behalf, inside TorchSharp. Asked of the compiled code, where conversions are calls. Overrides that
/// TorchSharp calls by itself are not followed: no source derives from or calls its modules.
/// </summary>
public sealed class ScalarLifetimeTests
{
    private const string Home = "Rlp.Objective.TensorArithmetic";

    /// <summary>By TorchSharp's method: what to call instead.</summary>
    private static readonly Dictionary<string, string> Instead = new()
    {
        ["op_Addition"] = "Plus",
        ["add"] = "Plus",
        ["add_"] = "PlusInPlace",
        ["addcmul"] = "PlusProduct",
        ["addcmul_"] = "PlusProductInPlace",
        ["addcdiv_"] = "PlusQuotientInPlace",
        ["op_Subtraction"] = "Minus",
        ["sub"] = "Minus",
        ["op_Multiply"] = "Times",
        ["mul"] = "Times",
        ["mul_"] = "TimesInPlace",
        ["op_Division"] = "Over",
        ["div"] = "Over",
        ["div_"] = "OverInPlace",
        ["square"] = "Squared",
        ["softplus"] = "Softplus",
        ["clamp"] = "Clamped",
        ["clamp_min_"] = "AtLeastInPlace",
        ["op_LessThan"] = "LessThan",
        ["lt"] = "LessThan",
        ["op_GreaterThan"] = "GreaterThan",
        ["gt"] = "GreaterThan",
        ["op_Equality"] = "EqualTo",
        ["eq"] = "EqualTo",
        ["fill_"] = "FilledInPlace",
        ["full"] = "FilledInPlace",
        ["masked_fill"] = "MaskFilled",
        ["masked_fill_"] = "MaskFilledInPlace",
        ["arange"] = "Tensor.Range",
    };

    [Fact]
    public void No_number_becomes_a_native_scalar_that_nothing_keeps_alive()
    {
        using var resolver = new DefaultAssemblyResolver();
        resolver.AddSearchDirectory(AppContext.BaseDirectory);
        using var torchSharp = Read("TorchSharp", resolver);
        var makers = Makers(torchSharp);
        Assert.Contains(makers, m => m.Contains("torch/Tensor::op_Addition(TorchSharp.torch/Tensor,TorchSharp.torch/Tensor)", StringComparison.Ordinal));

        var calls = Repository.SourceProjects.Keys.SelectMany(project => Calls(project, resolver, makers)).ToList();
        Assert.Contains(calls, c => c.AtHome); // so that a finder which finds nothing does not pass
        var unsafeCalls = calls.Where(c => !c.AtHome).Select(c => c.Text).Order(StringComparer.Ordinal).ToList();
        Assert.True(unsafeCalls.Count == 0, $"native scalars that the finalizer may free while libtorch reads them:\n{string.Join("\n", unsafeCalls)}");
    }

    /// <summary>The conversions of numbers to scalars, and whatever in TorchSharp calls one of them, through however many methods.</summary>
    private static HashSet<string> Makers(ModuleDefinition torchSharp)
    {
        var makers = new HashSet<string>();
        var callers = new Dictionary<string, List<string>>();
        foreach (var method in torchSharp.GetTypes().SelectMany(t => t.Methods))
        {
            if (method.DeclaringType.FullName is "TorchSharp.Scalar" or "TorchSharp.ScalarExtensionMethods" && method.ReturnType.FullName == "TorchSharp.Scalar")
                makers.Add(method.FullName);
            foreach (var called in Called(method, torchSharp.Name).SelectMany(c => WithStateMachine(c.Method)))
            {
                if (!callers.TryGetValue(called.FullName, out var known)) callers[called.FullName] = known = [];
                known.Add(method.FullName);
            }
        }
        var open = new Queue<string>(makers);
        while (open.TryDequeue(out var maker))
            foreach (var caller in callers.GetValueOrDefault(maker, []).Where(makers.Add))
                open.Enqueue(caller);
        return makers;
    }

    /// <summary>An iterator or an asynchronous method calls its body through the constructor of a nested class.</summary>
    private static IEnumerable<MethodDefinition> WithStateMachine(MethodDefinition method) =>
        method.IsConstructor && method.DeclaringType.IsNested && method.DeclaringType.Name.StartsWith('<') ? method.DeclaringType.Methods : [method];

    private static IEnumerable<(string Text, bool AtHome)> Calls(string project, IAssemblyResolver resolver, HashSet<string> makers)
    {
        using var module = Read(Repository.SourceProjects[project].Descendants("AssemblyName").SingleOrDefault()?.Value ?? project, resolver);
        foreach (var method in module.GetTypes().SelectMany(t => t.Methods))
            foreach (var (at, called) in Called(method, "TorchSharp").Where(c => makers.Contains(c.Method.FullName)))
                yield return (Describe(method, at, called), method.DeclaringType.FullName.StartsWith(Home, StringComparison.Ordinal));
    }

    private static string Describe(MethodDefinition method, Instruction at, MethodDefinition called)
    {
        var place = method.DebugInformation.SequencePoints.Where(p => p.Offset <= at.Offset && !p.IsHidden).MaxBy(p => p.Offset);
        var line = place is null ? method.FullName : $"{Path.GetRelativePath(Repository.Root, place.Document.Url)}:{place.StartLine}";
        if (called.ReturnType.Name == "Scalar") called = Taker(at) ?? called;
        var instead = Instead.TryGetValue(called.Name, out var form) ? $"use {form} of" : "give it a form in";
        return $"{line}: {called.Name}({string.Join(", ", called.Parameters.Select(p => p.ParameterType.Name))}); {instead} {Home}";
    }

    /// <summary>A converted number is an argument of the next call that takes a scalar.</summary>
    private static MethodDefinition? Taker(Instruction conversion)
    {
        for (var next = conversion.Next; next is not null; next = next.Next)
            if (next.Operand is MethodReference taker && taker.Parameters.Any(p => p.ParameterType.FullName.Contains("TorchSharp.Scalar", StringComparison.Ordinal)))
                return taker.Resolve();
        return null;
    }

    /// <summary>The methods of one assembly that a method calls or takes the address of.</summary>
    private static IEnumerable<(Instruction At, MethodDefinition Method)> Called(MethodDefinition method, string assembly)
    {
        if (!method.HasBody) yield break;
        foreach (var instruction in method.Body.Instructions)
            if (instruction.Operand is MethodReference reference
                && Path.GetFileNameWithoutExtension(reference.DeclaringType.GetElementType().Scope.Name) == Path.GetFileNameWithoutExtension(assembly)
                && reference.Resolve() is { } called)
                yield return (instruction, called);
    }

    private static ModuleDefinition Read(string assembly, IAssemblyResolver resolver) => ModuleDefinition.ReadModule(
        Path.Combine(AppContext.BaseDirectory, assembly + ".dll"),
        new ReaderParameters { AssemblyResolver = resolver, ReadSymbols = true, SymbolReaderProvider = new DefaultSymbolReaderProvider(throwIfNoSymbol: false) });
}
