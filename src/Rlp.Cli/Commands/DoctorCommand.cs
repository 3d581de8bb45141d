using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using Rlp.Cli.Configuration;
using Rlp.Training;
using TorchSharp;

namespace Rlp.Cli.Commands;

/// <summary>rlp doctor: whether this machine can train, part by part.</summary>
internal static class DoctorCommand
{
    private const long LeastFreeBytes = 1L << 30;

    private sealed record Check(string Part, bool Ok, string Found);

    public static Command Create()
    {
        var (runs, json) = (CommonOptions.Runs(), CommonOptions.Json("One JSON object per check."));
        var command = new Command("doctor", "Checks runtime, native library, device, database and disk.\n\nExample:\n  rlp doctor --runs /data/runs") { runs, json };
        command.SetAction((arguments, _) => FailureReport.Guard(() =>
        {
            var folder = Path.GetFullPath(arguments.GetValue(runs) ?? new NodeSettings().Runs);
            Check[] checks = [Runtime(), Native(), Device(), Threads(), Database(folder), Disk(folder)];
            foreach (var check in checks)
                Console.WriteLine(arguments.GetValue(json)
                    ? JsonSerializer.Serialize(new { part = check.Part, ok = check.Ok, found = check.Found })
                    : $"{(check.Ok ? "ok    " : "BROKEN")}  {check.Part,-15} {check.Found}");
            return Task.FromResult(checks.All(c => c.Ok) ? ExitCodes.Done : ExitCodes.BrokenEnvironment);
        }));
        return command;
    }

    private static Check Runtime() => new(
        "runtime", Environment.Version.Major >= 10,
        $".NET {Environment.Version} on {RuntimeInformation.OSDescription}, {Environment.ProcessorCount} cores, {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 20} MiB");

    private static Check Native()
    {
        try
        {
            return new Check("native library", true, $"libtorch {NativeLibrary.Load()}, matrix product right");
        }
        catch (NativeLibraryException e)
        {
            return new Check("native library", false, e.Message.ReplaceLineEndings(" "));
        }
    }

    private static Check Device()
    {
        try
        {
            return new Check("device", true, torch.cuda.is_available() ? $"cpu and {torch.cuda.device_count()} CUDA device(s)" : $"cpu, {torch.get_num_threads()} threads (no CUDA device in use)");
        }
        catch (Exception e) when (e is TypeInitializationException or NotSupportedException)
        {
            return new Check("device", false, "unknown, because the native library does not load");
        }
    }

    private static Check Threads()
    {
        var plan = ThreadPlan.Of(new NodeSettings().Threads);
        return new Check(
            "threads", true,
            $"{plan.IntraOp} per engine, {plan.Heartbeats} for the cluster's heartbeats, {plan.Pool} for other actors; {OpenMpWaiting.Describe()}");
    }

    private static Check Database(string folder)
    {
        var path = Path.Combine(folder, $".doctor-{Environment.ProcessId}.db");
        try
        {
            Directory.CreateDirectory(folder);
            using (var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString()))
            {
                connection.Open();
                using var command = connection.CreateCommand();
                command.CommandText = "PRAGMA journal_mode = WAL";
                var mode = (string)command.ExecuteScalar()!;
                if (mode != "wal") return new Check("database", false, $"SQLite in {folder} cannot keep a write-ahead log (got '{mode}'); use a local file system");
                command.CommandText = "CREATE TABLE t(x); INSERT INTO t VALUES (42); SELECT x FROM t";
                if ((long)command.ExecuteScalar()! != 42) return new Check("database", false, $"SQLite in {folder} does not return what was written");
            }
            return new Check("database", true, $"SQLite with a write-ahead log in {folder}");
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            return new Check("database", false, $"{folder}: {e.Message}");
        }
        finally
        {
            if (Directory.Exists(folder))
                foreach (var file in Directory.EnumerateFiles(folder, Path.GetFileName(path) + "*")) File.Delete(file);
        }
    }

    private static Check Disk(string folder)
    {
        try
        {
            var free = new DriveInfo(Directory.Exists(folder) ? folder : Path.GetPathRoot(folder)!).AvailableFreeSpace;
            return new Check("disk", free >= LeastFreeBytes, $"{free >> 20} MiB free for {folder}" + (free < LeastFreeBytes ? $"; at least {LeastFreeBytes >> 20} MiB are needed" : ""));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return new Check("disk", false, $"{folder}: {e.Message}");
        }
    }
}
