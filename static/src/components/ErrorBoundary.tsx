import { Component, type ReactNode } from "react";
import { type Problem, asProblem } from "../bff/problem";
import { ProblemBanner } from "./ProblemBanner";

/** Instead of an empty page when rendering fails: what happened, and a way on. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { problem: Problem | null }> {
  override state = { problem: null };

  static getDerivedStateFromError(fault: unknown): { problem: Problem } {
    return { problem: asProblem(fault) };
  }

  override render(): ReactNode {
    if (this.state.problem === null) {
      return this.props.children;
    }
    return (
      <main className="sign-in">
        <div className="sign-in-problem">
          <ProblemBanner problem={this.state.problem} />
        </div>
      </main>
    );
  }
}
