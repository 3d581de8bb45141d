namespace Rlp.Cli;

/// <summary>What the process tells the shell; documented in the README and in `rlp --help`.</summary>
public static class ExitCodes
{
    public const int Done = 0;

    /// <summary>A defect of this program; the stack trace is printed.</summary>
    public const int Unexpected = 1;

    /// <summary>`rlp console`: the node's answer is an error.</summary>
    public const int CommandFailed = 1;

    /// <summary>The command line, the recipe or a setting is wrong; nothing was started.</summary>
    public const int BadConfiguration = 2;

    /// <summary>A corpus, a model, a checkpoint or a journal cannot be used.</summary>
    public const int BadData = 3;

    /// <summary>The run failed; its journal and checkpoints are safe and the same command continues it.</summary>
    public const int RunFailed = 4;

    /// <summary>The machine lacks something: native library, disk, database, a folder that can be written.</summary>
    public const int BrokenEnvironment = 5;

    /// <summary>`rlp runs verify`: a step was executed again and is not what the journal holds.</summary>
    public const int NotReproduced = 6;

    /// <summary>`rlp runs verify`: the steps cannot be executed again here, or a difference proves nothing because the environment is another.</summary>
    public const int NotVerifiable = 7;

    /// <summary>The user stopped the run (Ctrl-C or SIGTERM); a checkpoint was committed first.</summary>
    public const int Stopped = 130;

    public const string Explanation = """
        Exit codes:
          0    done
          1    unexpected error; `rlp console`: the answer is an error
          2    bad configuration: command line, recipe or setting
          3    bad data: corpus, model, checkpoint or journal
          4    the run failed; its state is safe, the same command continues it
          5    broken environment: native library, disk, database
          6    `rlp runs verify`: a step differs from the journal
          7    `rlp runs verify`: cannot be verified here
          130  stopped by the user after a checkpoint; the same command resumes
        """;
}
