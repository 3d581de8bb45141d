using Rlp.Training.Engines;

namespace Rlp.Training;

/// <summary>One step of next-token prediction (pretraining, CPT): the mean cross-entropy over whole documents, one optimizer step.</summary>
public sealed class NtpStep(ILearnerEngine learner)
{
    public AppliedStep Run(long step, StepData data) => learner.ApplyNtp(step, data.Documents);
}
